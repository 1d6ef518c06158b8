"""Follow the load until every job has ended."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing

from scheduler.adapters.grpc.client import SchedulerClient
from scheduler.adapters.grpc.client_errors import ClientError
from scheduler.adapters.grpc.client_views import EventView, JobView
from scheduler.application.dto import JobFilter
from scheduler.domain.errors import SchedulerError
from scheduler.domain.state import FINAL_STATES, JobState
from scheduler.entrypoints.demo.plan import RUN_LABEL, Kind, Plan

POLL_SECONDS = 0.25
PATIENCE_SECONDS = 60.0

Progress = Callable[[Mapping[JobState, int]], None]


class DemoError(SchedulerError):
    """The demo cannot go on; the message says why."""


async def list_run(client: SchedulerClient, plan: Plan) -> Sequence[JobView]:
    """Read all jobs of the run."""
    async with aclosing(client.list(JobFilter(labels={RUN_LABEL: plan.run}), page_size=1000)) as jobs:
        return [job async for job in jobs]


async def follow_to_the_end(
    client: SchedulerClient, plan: Plan, *, show: Progress, dead_process: Callable[[], str | None]
) -> Sequence[JobView]:
    """Show the counts per state until all jobs have ended; return them. Raises DemoError when that takes too long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        jobs = await list_run(client, plan)
        counts = Counter(job.state for job in jobs)
        show(counts)
        if sum(counts[state] for state in FINAL_STATES) >= len(plan.jobs):
            return jobs
        if dead := await asyncio.to_thread(dead_process):
            raise DemoError(f"{dead} ended by itself")
        if time.monotonic() > deadline:
            raise DemoError(f"not all jobs ended within {PATIENCE_SECONDS:g} s: {dict(counts)}")
        await asyncio.sleep(POLL_SECONDS)


async def watch_one(client: SchedulerClient, plan: Plan) -> Sequence[EventView]:
    """Watch the watched job from its submission to its end; return what was seen."""
    job_id = str(plan.of(Kind.WATCHED)[0].job_id)
    await _submitted(client, job_id)
    async with aclosing(client.watch(job_id)) as events:
        return [event async for event in events]


async def cancel_one(client: SchedulerClient, plan: Plan) -> Sequence[EventView]:
    """Cancel the job to cancel as soon as it runs; return what a watch of it saw."""
    job_id = str(plan.of(Kind.CANCELLED)[0].job_id)
    seen: list[EventView] = []
    await _submitted(client, job_id)
    async with aclosing(client.watch(job_id)) as events:
        async for event in events:
            seen.append(event)
            if event.state is JobState.RUNNING:
                await client.cancel(job_id)
    return seen


async def _submitted(client: SchedulerClient, job_id: str) -> None:
    """Wait until the job is there, or its submission has failed and this is cancelled."""
    while True:
        try:
            await client.get(job_id)
        except ClientError as error:
            if error.status != "NOT_FOUND":
                raise
            await asyncio.sleep(POLL_SECONDS / 10)
        else:
            return
