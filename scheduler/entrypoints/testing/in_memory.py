"""A whole scheduler for a test: the real API on a port of its own, the real worker, and data in memory."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Self

from scheduler.adapters.grpc.client import SchedulerClient
from scheduler.adapters.grpc.client_views import AttemptView, JobView, SubmittedJob
from scheduler.adapters.handlers.definition import AnyDefinition
from scheduler.adapters.system.clock import SystemClock
from scheduler.application.dto import JobFilter
from scheduler.domain.priority import Priority, StrictOrder
from scheduler.domain.state import JobState
from scheduler.domain.submission import Submission
from scheduler.entrypoints.api import serve_api
from scheduler.entrypoints.container.application import Container
from scheduler.entrypoints.container.common import Common
from scheduler.entrypoints.container.memory_adapters import MemoryAdapters
from scheduler.entrypoints.process import ProcessOptions
from scheduler.entrypoints.settings import Settings
from scheduler.entrypoints.testing.background_loop import BackgroundLoop
from scheduler.entrypoints.testing.skipping_time import SkippingTime

HOST = "127.0.0.1"
POLL_SECONDS = 0.002

_ANY = StrictOrder().plan(1, 0)


class InMemoryScheduler:
    """Keeps what is submitted, and runs it when `drain` is called; each test has one to itself.

    The code under test submits with a SchedulerClient at `address`, from any thread, event loop or process. A drain
    runs jobs as a worker would, and skips the time until scheduled jobs and retries are due.
    """

    def __init__(self, handlers: Sequence[AnyDefinition] = (), *, slots: int = 10) -> None:
        """Take the handlers, of which up to `slots` run at once."""
        settings = Settings(grpc_host=HOST, grpc_port=0, metrics_host=HOST, worker_pool_size=slots, grace_seconds=0)
        self._time = SkippingTime()
        self._clock = SystemClock(time_of_day=self._time.time_of_day, monotonic=self._time.monotonic)
        self._common = Common(settings=settings, options=ProcessOptions(handlers=handlers))
        self._common.clock.override(self._clock)
        # Now, so that two handlers for one job type are refused here.
        self._common.handlers()
        self._adapters = MemoryAdapters(common=self._common)
        self._container = Container(common=self._common, adapters=self._adapters)
        self._open = AsyncExitStack()

    def __enter__(self) -> Self:
        """Serve the API."""
        self._loop = BackgroundLoop()
        try:
            self._address = self._loop.run(self._serve())
        except BaseException:
            self._loop.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and forget all jobs."""
        self._loop.run(self._open.aclose())
        self._loop.close()

    @property
    def address(self) -> str:
        """Return where the API answers, as SchedulerClient takes it."""
        return self._address

    def now(self) -> datetime:
        """Return the scheduler's time."""
        return self._clock.now()

    def advance(self, by: timedelta) -> None:
        """Let time pass; what is due then runs at the next drain."""
        self._time.skip(by)

    def submit(self, submission: Submission) -> SubmittedJob:
        """Store a job."""
        return self._loop.run(self._client.submit(submission))

    def get(self, job_id: str) -> JobView:
        """Read a job, with its payload and result."""
        return self._loop.run(self._client.get(job_id))

    def jobs(
        self,
        type: str | None = None,  # noqa: A002 - the field's name
        *,
        state: JobState | None = None,
        priority: Priority | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Sequence[JobView]:
        """Read the jobs that match, with payloads and results, in the order of their submission."""
        return self._loop.run(self._jobs(JobFilter(type=type, state=state, priority=priority, labels=labels or {})))

    def attempts(self, job_id: str) -> Sequence[AttemptView]:
        """Read a job's history."""
        return self._loop.run(self._client.attempts(job_id))

    def cancel(self, job_id: str) -> bool:
        """Cancel a job; tell whether it is CANCELLED now."""
        return self._loop.run(self._client.cancel(job_id))

    def drain(self, *, within: timedelta | None = None) -> None:
        """Run jobs, and those that they submit, until none is left to run, or none that is due `within` this time.

        Jobs without a handler stay QUEUED.
        """
        self._loop.run(self._drain(None if within is None else self.now() + within))

    async def _serve(self) -> str:
        stopping, port = asyncio.Event(), asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(
            serve_api(self._container, stopping, metrics_port=0, announce=port.set_result),
        )
        await asyncio.wait([serving, port], return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            await serving
        self._open.push_async_callback(_stop, stopping, serving)
        for close in (
            self._common.db_tx().close,
            self._common.http_client().aclose,
            self._common.handler_processes().close,
        ):
            self._open.push_async_callback(close)
        address = f"{HOST}:{port.result()}"
        self._client = await self._open.enter_async_context(SchedulerClient(address))
        return address

    async def _jobs(self, job_filter: JobFilter) -> Sequence[JobView]:
        ids = [job.job_id async for job in self._client.list(job_filter)]
        return [await self._client.get(job_id) for job_id in reversed(ids)]

    async def _drain(self, until: datetime | None) -> None:
        while True:
            while await self._container.release_due_jobs().execute():
                pass
            if await self._has_work():
                await self._work()
            elif (due := await self._next_due()) is None or (until is not None and due > until):
                return
            else:
                self._time.skip(max(due - self.now(), timedelta(0)))

    async def _has_work(self) -> bool:
        stats, _ = await self._container.get_queue_stats().execute()
        types = self._common.handlers().types()
        return bool(stats.running or await self._adapters.sweeper().claimable(_ANY, types=types, excluding=()))

    async def _next_due(self) -> datetime | None:
        waiting = [
            job.run_at
            for state in (JobState.SCHEDULED, JobState.RETRYING)
            async for job in self._client.list(JobFilter(state=state), page_size=1000)
        ]
        return min(waiting, default=None)

    async def _work(self) -> None:
        """Be a worker, lease and all, until nothing is left that could run now."""
        container = Container(common=self._common, adapters=self._adapters)
        worker, stopping, leaving = container.worker(), asyncio.Event(), asyncio.Event()
        keeper = container.lease_keeper(registry=container.lease_connection().registry)
        async with asyncio.TaskGroup() as group:
            group.create_task(keeper.run(worker, leaving))
            group.create_task(container.progress_board().run(leaving))
            working = group.create_task(worker.run(stopping, grace_seconds=0))
            try:
                # A worker that is full of handlers which do not end stops by itself; the next turn has a new one.
                while not working.done() and await self._has_work():  # noqa: ASYNC110 - only the store knows
                    await asyncio.sleep(POLL_SECONDS)
            finally:
                stopping.set()
            await working
            leaving.set()


async def _stop(stopping: asyncio.Event, serving: Awaitable[object]) -> None:
    stopping.set()
    await serving
