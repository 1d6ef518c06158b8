"""Submit the plan over gRPC: half of it job by job, half of it in batches."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from scheduler.adapters.grpc.client import SchedulerClient
from scheduler.adapters.grpc.client_views import SubmittedJob
from scheduler.application.use_cases.submit_jobs import SubmitCommand
from scheduler.entrypoints.demo.plan import Kind, Plan

CALLS_AT_ONCE = 32
BATCH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many jobs in so many seconds."""

    jobs: int
    seconds: float

    @property
    def per_second(self) -> float:
        """Return the rate."""
        return self.jobs / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """What the service answered."""

    single: Rate
    batched: Rate
    answers: Sequence[SubmittedJob]
    repeated: SubmittedJob
    """The answer to a second submission of the watched job, under its idempotency key."""


async def submit_plan(client: SchedulerClient, plan: Plan) -> Submitted:
    """Submit all jobs, and one of them twice."""
    commands = [job.command for job in plan.jobs]
    half = len(commands) // 2
    began = time.perf_counter()
    answers = await _one_by_one(client, commands[:half])
    between = time.perf_counter()
    for start in range(half, len(commands), BATCH):
        answers += await client.submit_many(commands[start : start + BATCH])
    return Submitted(
        single=Rate(jobs=half, seconds=between - began),
        batched=Rate(jobs=len(commands) - half, seconds=time.perf_counter() - between),
        answers=answers,
        repeated=await client.submit(plan.of(Kind.WATCHED)[0].submission),
    )


async def _one_by_one(client: SchedulerClient, commands: Sequence[SubmitCommand]) -> list[SubmittedJob]:
    slots = asyncio.Semaphore(CALLS_AT_ONCE)

    async def submit(command: SubmitCommand) -> SubmittedJob:
        async with slots:
            return await client.submit(command.submission, job_id=command.job_id)

    return await asyncio.gather(*map(submit, commands))
