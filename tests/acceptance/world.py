"""What the steps of one scenario share."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Self, TypeVar
from uuid import uuid4

from scheduler.adapters.grpc.client_views import BulkResult, JobView, SubmittedJob
from scheduler.application.dead_letters import EndedFilter
from scheduler.application.dto import JobFilter
from scheduler.domain.errors import SchedulerError
from scheduler.domain.state import FINAL_STATES
from tests.acceptance.driver import Driver
from tests.acceptance.orders import Orders, Row
from tests.acceptance.refused import Refused
from tests.acceptance.watch import Watch

Value = TypeVar("Value")
PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.02


class World:
    """One scenario's jobs by their names, its watches, and what was last listed, answered and refused."""

    noted: datetime | None = None
    confirmed: bool | None = None
    changed: int | None = None

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.orders = Orders(uuid4(), driver.now)
        self.ids: dict[str, str] = {"nobody knows": str(uuid4())}
        self.created: list[str] = []
        self.watches: list[Watch] = []
        self.listed: list[str] = []
        self._refused: Refused | None = None
        self._last_requeue: dict[str, int] = {}
        self._runner = asyncio.Runner(loop_factory=driver.new_loop)

    def __enter__(self) -> Self:
        self.run(self.driver.open())
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._runner.run(_within_patience(self._leave_nothing_behind()))
        finally:
            self._runner.close()
        assert self._refused is None, f"no step expected to be {self._refused}"

    async def _leave_nothing_behind(self) -> None:
        for watch in self.watches:
            await watch.close()
        for job in await self._list(JobFilter()):
            if job.state not in FINAL_STATES:
                await self.driver.client.cancel(job.job_id)
        await self.driver.close()

    def run(self, work: Coroutine[None, None, Value]) -> Value:
        """Do it, with patience. A refusal before must have been expected by a step."""
        pending, self._refused = self._refused, None
        if pending is not None:
            work.close()
            raise AssertionError(f"no step expected to be {pending}")
        return self._runner.run(_within_patience(work))

    def attempt(self, work: Coroutine[None, None, Value]) -> Value | None:
        """Do what may be refused; then the next step but for assertions on what is known must expect it."""
        try:
            return self.run(work)
        except SchedulerError as error:
            self._refused = Refused.because_of(error)
            return None

    def take_refusal(self) -> Refused:
        """Return how the last attempt was refused, or else the last watch."""
        if self._refused is None:
            self.attempt(self.watches[-1].ended())
        refused, self._refused = self._refused, None
        assert refused is not None, "nothing was refused"
        return refused

    def submit(self, rows: Sequence[Row], *, together: bool = False) -> None:
        """Submit the jobs of a table, one after the other or as one batch."""
        self.attempt(self._submit(rows, together=together))

    async def _submit(self, rows: Sequence[Row], *, together: bool) -> None:
        if not together:
            for row in rows:
                command = self.orders.command(row)
                self._note(row, await self.driver.client.submit(command.submission, job_id=command.job_id))
            return
        results = await self.driver.client.submit_many([self.orders.command(row) for row in rows])
        for row, result in zip(rows, results, strict=True):
            self._note(row, result)

    def _note(self, row: Row, result: SubmittedJob) -> None:
        self.ids[row["job"]] = result.job_id
        if result.created:
            self.created.append(row["job"])

    def job(self, name: str) -> JobView:
        """Read a job."""
        return self.run(self.driver.client.get(self.ids[name]))

    def until(self, name: str, holds: Callable[[JobView], bool]) -> JobView:
        """Read a job again and again until the condition holds."""
        return self.run(self._until(name, holds))

    async def _until(self, name: str, holds: Callable[[JobView], bool]) -> JobView:
        while not holds(job := await self.driver.client.get(self.ids[name])):  # noqa: ASYNC110 - nobody signals here
            await asyncio.sleep(POLL_SECONDS)
        return job

    def until_ended(self, name: str) -> JobView:
        """Wait until the job has ended, since it was last queued again if it was."""
        version = self._last_requeue.get(name, 0)
        return self.until(name, lambda job: job.state in FINAL_STATES and job.version > version)

    def requeue(self, name: str, *, payload: str = "", expected_version: int = 0) -> None:
        """Queue a job again."""
        call = self.driver.client.requeue(self.ids[name], payload=payload, expected_version=expected_version)
        requeued = self.attempt(call)
        if requeued is not None:
            self._last_requeue[name] = requeued.version

    def requeue_all(self, job_filter: EndedFilter, *, limit: int = 0, dry_run: bool = False) -> None:
        """Queue all jobs again that match, or count them."""
        before = {job.job_id: job.version for job in self.jobs()}
        self._note_changed(self.driver.client.requeue_jobs(job_filter, limit=limit, dry_run=dry_run))
        if not dry_run and self._refused is None:
            for name, job_id in self.ids.items():
                if job_id in before and self.job(name).version > before[job_id]:
                    self._last_requeue[name] = before[job_id] + 1

    def delete_all(self, job_filter: Callable[[], EndedFilter]) -> None:
        """Delete all jobs that match."""

        async def delete() -> BulkResult:
            return await self.driver.client.purge_jobs(job_filter())

        self._note_changed(delete())

    def _note_changed(self, work: Coroutine[None, None, BulkResult]) -> None:
        result = self.attempt(work)
        self.changed = None if result is None else result.count

    def own(self, job_filter: JobFilter) -> JobFilter:
        """Narrow a filter to this scenario's jobs."""
        return replace(job_filter, labels={**job_filter.labels, **self.orders.labels})

    def jobs(self, job_filter: JobFilter | None = None) -> list[JobView]:
        """List this scenario's jobs."""
        return self.run(self._list(job_filter or JobFilter()))

    async def _list(self, job_filter: JobFilter) -> list[JobView]:
        return [job async for job in self.driver.client.list(self.own(job_filter))]

    def names_of(self, jobs: Sequence[JobView]) -> list[str]:
        """Return the names of jobs; of several names of one job the first."""
        names = {job_id: name for name, job_id in reversed(self.ids.items())}
        return [names[job.job_id] for job in jobs]

    def watch(self, name: str, after_version: int = 0) -> None:
        """Begin to watch a job."""

        async def begin() -> Watch:
            return Watch(self.driver.client, self.ids[name], after_version)

        self.watches.append(self.run(begin()))


async def _within_patience(work: Coroutine[None, None, Value]) -> Value:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await work
