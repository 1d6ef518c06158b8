"""Jobs by the dozen, told from all others by a label."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TypeVar
from uuid import uuid4

from scheduler.adapters.grpc.client import SchedulerClient
from scheduler.adapters.grpc.client_views import JobView
from scheduler.application.dto import JobFilter
from scheduler.application.use_cases.submit_jobs import SubmitCommand
from scheduler.domain.priority import Priority
from scheduler.domain.state import FINAL_STATES, JobState
from scheduler.domain.submission import DEFAULT_TIMEOUT, Submission
from scheduler.entrypoints.stack import Stack

Value = TypeVar("Value")
LABEL = "load"
PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.02


class Load:
    """Jobs of one test, and where they stand."""

    def __init__(self, client: SchedulerClient) -> None:
        self.client = client
        self.ids: list[str] = []
        self._labels = {LABEL: str(uuid4())}

    async def add(
        self, count: int, *, job_type: str = "noop", limit: timedelta = DEFAULT_TIMEOUT, **payload: object
    ) -> list[str]:
        """Submit jobs, no-ops unless told otherwise, that all behave so; return their ids."""
        submission = Submission(
            type=job_type, priority=Priority.DEFAULT, payload=json.dumps(payload), timeout=limit, labels=self._labels
        )
        jobs = await self.client.submit_many([SubmitCommand(submission=submission)] * count)
        added = [job.job_id for job in jobs]
        self.ids += added
        return added

    async def in_state(self, state: JobState | None = None) -> Sequence[JobView]:
        """List the jobs, all or those in one state, as of one moment if they fit on a page."""
        job_filter = JobFilter(labels=self._labels, state=state)
        return [job async for job in self.client.list(job_filter, page_size=1000)]

    async def until(self, holds: Callable[[Sequence[JobView]], bool]) -> Sequence[JobView]:
        """List all jobs again and again until the condition holds for them."""

        async def poll() -> Sequence[JobView]:
            while not holds(jobs := await self.in_state()):  # noqa: ASYNC110 - processes of others: nobody signals
                await asyncio.sleep(POLL_SECONDS)
            return jobs

        async with asyncio.timeout(PATIENCE_SECONDS):
            return await poll()

    async def until_ended(self) -> Sequence[JobView]:
        """Wait until all have ended."""
        return await self.until(lambda jobs: all(job.state in FINAL_STATES for job in jobs))

    async def cancel_rest(self) -> None:
        """Leave nothing that still runs or waits."""
        for job in await self.in_state():
            if job.state not in FINAL_STATES:
                await self.client.cancel(job.job_id)


def run_load(stack: Stack, scenario: Callable[[Load], Awaitable[Value]], *, address: str | None = None) -> Value:
    """Run a scenario with a load of its own, through the stack's API or that at another address."""

    async def run() -> Value:
        async with SchedulerClient(address or stack.address) as client:
            load = Load(client)
            try:
                return await scenario(load)
            finally:
                await load.cancel_rest()

    return asyncio.run(run())


def count(jobs: Sequence[JobView], state: JobState) -> int:
    """Count the jobs in a state."""
    return sum(job.state is state for job in jobs)
