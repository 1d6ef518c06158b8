"""Two stores that are told the same and must answer the same."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from difflib import unified_diff
from pprint import pformat
from typing import TypeVar
from uuid import UUID

from scheduler.adapters.memory.fixed_clock import FixedClock
from scheduler.application.dead_letters import EndedCursor, EndedFilter
from scheduler.application.dto import Change, JobFilter, ListCursor, NewJob, ProgressNote, QueueEntry, SweepCursor
from scheduler.application.errors import DuplicateJobsError
from scheduler.domain.attempt import Attempt
from scheduler.domain.ids import JobId, OpId
from scheduler.domain.job import Job
from scheduler.domain.priority import Priority
from tests.support.backends import Run, StoreBackend
from tests.support.memory import MemoryStoreBackend

T = TypeVar("T")
TICK = timedelta(milliseconds=1)
EVERYTHING = 100_000


class Twins:
    """Asks memory and another store at once; raises AssertionError where their answers differ.

    Time of jobs is `clock`'s; leases are judged by each store's own clock, hence never expire in here.
    """

    def __init__(self, run: Run, other: StoreBackend) -> None:
        self.clock = FixedClock()
        self._memory = MemoryStoreBackend(self.clock)
        self._other = other
        self._run = run
        run(other.reset())

    def ask(self, question: Callable[[StoreBackend], Awaitable[T]]) -> T:
        """Ask both the same question; return their answer."""

        async def both() -> tuple[T, T]:
            return await question(self._memory), await question(self._other)

        expected, answer = self._run(both())
        self.clock.advance(TICK)
        assert answer == expected, f"- memory, + the other:\n{_difference(expected, answer)}"
        return expected

    def add(self, jobs: Sequence[NewJob]) -> bool:
        """Add to both; tell whether they took the batch."""

        async def take(store: StoreBackend) -> bool:
            try:
                await store.repository.add_all(jobs)
            except DuplicateJobsError:
                return False
            return True

        return self.ask(take)

    def apply(self, changes: Sequence[Change]) -> frozenset[JobId]:
        return self.ask(lambda store: store.repository.apply(changes))

    def note_progress(self, notes: Sequence[ProgressNote]) -> frozenset[JobId]:
        return self.ask(lambda store: store.repository.note_progress(notes))

    def load(self, ids: Sequence[JobId]) -> Mapping[JobId, Job]:
        return self.ask(lambda store: store.repository.load(ids))

    def attempts(self, job_id: JobId) -> Sequence[Attempt] | None:
        async def read(store: StoreBackend) -> Sequence[Attempt] | None:
            found = await store.reader.attempts(job_id)
            return None if found is None else list(found)

        return self.ask(read)

    def listed(self, job_filter: JobFilter, page_size: int) -> list[Job]:
        """Walk through all pages of a list in both, page by page."""
        jobs: list[Job] = []
        after: ListCursor | None = None
        while True:
            cursor = after

            async def page(store: StoreBackend, cursor: ListCursor | None = cursor) -> tuple[list[Job], object]:
                found = await store.reader.list_jobs(job_filter, limit=page_size, after=cursor)
                return list(found.jobs), found.next

            found, following = self.ask(page)
            jobs += found
            if not isinstance(following, ListCursor):
                return jobs
            after = following

    def scanned(self, job_filter: EndedFilter) -> list[Job]:
        """Walk through all ended jobs that match in both; their steps may differ."""

        async def walk(store: StoreBackend) -> list[Job]:
            found: list[JobId] = []
            after: EndedCursor | None = None
            while True:
                page = await store.ended_jobs.scan(job_filter, after=after)
                found += [each.id for each in page.found]
                if page.next is None:
                    jobs = await store.repository.load(found)
                    return [jobs[job_id] for job_id in found]
                after = page.next

        return self.ask(walk)

    def swept(self, limit: int) -> list[JobId]:
        """Walk through a whole round over the queued jobs in both, page by page."""
        seen: list[JobId] = []
        after: dict[Priority, SweepCursor] = {}
        until = self.clock.now() + timedelta(days=999)
        while True:
            cursors = dict(after)

            async def page(store: StoreBackend, cursors: Mapping[Priority, SweepCursor] = cursors) -> list[QueueEntry]:
                found = await store.sweeper.queued_page(cursors, queued_before=until, limit=limit)
                return sorted(found, key=lambda each: (each.priority, each.queued_at, each.job_id))

            entries = self.ask(page)
            if not entries:
                return seen
            for entry in entries:
                seen.append(entry.job_id)
                after[entry.priority] = SweepCursor(queued_at=entry.queued_at, job_id=entry.job_id)


def _difference(expected: object, answer: object) -> str:
    return "\n".join(unified_diff(pformat(expected).splitlines(), pformat(answer).splitlines(), lineterm="", n=9))


def by_id(jobs: Sequence[Job]) -> list[Job]:
    """Put jobs that come in no order into one."""
    return sorted(jobs, key=lambda job: job.id)


def with_other_op(change: Change) -> Change:
    """Return the same change as another writer would send it."""
    return replace(change, op_id=OpId(UUID(int=change.op_id.int ^ 1)))
