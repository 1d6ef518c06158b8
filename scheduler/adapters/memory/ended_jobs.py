"""The desk for ended jobs, in memory."""

from collections import Counter
from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import islice

from scheduler.adapters.memory.job_index import By
from scheduler.adapters.memory.store import MemoryData, MemoryStore
from scheduler.adapters.memory.time_index import Place
from scheduler.application.dead_letters import (
    COUNTED_IN_ALL,
    EndedCursor,
    EndedFilter,
    EndedPage,
    ErrorGroup,
    ErrorGroups,
    FoundJob,
)
from scheduler.application.dto import COUNT_CAP
from scheduler.application.ports.ended_jobs import EndedJobs
from scheduler.domain.job import Job
from scheduler.domain.state import DEAD_STATES, JobState

SCAN = 2000


class MemoryEndedJobs(EndedJobs):
    """Looks at `scan` jobs of a MemoryStore at a time; `count_cap` bounds the counts of each kind of error."""

    def __init__(self, store: MemoryStore, *, scan: int = SCAN, count_cap: int = COUNT_CAP) -> None:
        self._store = store
        self._scan = scan
        self._count_cap = count_cap

    async def scan(self, job_filter: EndedFilter, *, after: EndedCursor | None) -> EndedPage:
        """Look at some jobs behind `after`; return those that match."""
        async with self._store.statement() as data:
            places = list(islice(_ended(data, job_filter, after), self._scan))
            jobs = [(place, data.jobs[place[1]].job) for place in places]
        found = [_found(place, job) for place, job in jobs if job_filter.matches(job)]
        return EndedPage(found=found, next=_cursor(places[-1]) if len(places) == self._scan else None)

    async def error_groups(self, *, fingerprint: str | None, job_type: str | None, limit: int) -> ErrorGroups:
        """Return up to `limit` kinds of errors, the last seen first."""
        cap = min(self._count_cap, COUNTED_IN_ALL // limit)
        async with self._store.statement() as data:
            groups = list(_groups(_dead(data), cap))
        wanted = [
            group for group in groups if fingerprint in {None, group.fingerprint} and job_type in {None, group.type}
        ]
        wanted.sort(key=lambda group: group.fingerprint)
        wanted.sort(key=lambda group: group.last_seen, reverse=True)
        return ErrorGroups(groups=wanted[:limit], more=len(wanted) > limit)

    async def delete(self, jobs: Sequence[Job]) -> int:
        """Delete those that no write has changed since; return how many."""
        async with self._store.statement() as data:
            doomed = [job.id for job in jobs if job.id in data.jobs and data.jobs[job.id].job.op_id == job.op_id]
            for job_id in doomed:
                data.delete(job_id)
        return len(doomed)


def _ended(data: MemoryData, job_filter: EndedFilter, after: EndedCursor | None) -> Iterator[Place]:
    by = By.STATE if JobState.SUCCEEDED in job_filter.states else By.ENDED
    start = None if after is None else (after.at, after.job_id)
    return merge(*(data.index.group(by, state).ascending(start) for state in job_filter.states))


def _cursor(place: Place) -> EndedCursor:
    return EndedCursor(at=place[0], job_id=place[1])


def _found(place: Place, job: Job) -> FoundJob:
    return FoundJob(version=job.version, cursor=_cursor(place))


def _dead(data: MemoryData) -> Iterator[Job]:
    """Yield FAILED jobs and dead letters, the newest end first."""
    places = merge(*(data.index.group(By.ENDED, state).descending() for state in DEAD_STATES), reverse=True)
    return (data.jobs[job_id].job for _, job_id in places)


def _groups(dead: Iterator[Job], cap: int) -> Iterator[ErrorGroup]:
    newest, oldest, counts = dict[str, Job](), dict[str, Job](), dict[str, Counter[JobState]]()
    for job in dead:
        newest.setdefault(job.error_fingerprint, job)
        oldest[job.error_fingerprint] = job
        count = counts.setdefault(job.error_fingerprint, Counter())
        if count.total() < cap:
            count[job.state] += 1
    for fingerprint, job in newest.items():
        yield _group(job, oldest[fingerprint], counts[fingerprint], cap)


def _group(newest: Job, oldest: Job, counts: Counter[JobState], cap: int) -> ErrorGroup:
    return ErrorGroup(
        fingerprint=newest.error_fingerprint,
        type=newest.type,
        sample_job_id=newest.id,
        sample_error=newest.last_error,
        failed=counts[JobState.FAILED],
        dead_letters=counts[JobState.DEADLETTER],
        is_capped=counts.total() >= cap,
        first_seen=oldest.finished_at or oldest.updated_at,
        last_seen=newest.finished_at or newest.updated_at,
    )
