"""What clients read of jobs, in memory."""

from collections.abc import Iterator, Sequence
from itertools import islice
from uuid import UUID

from scheduler.adapters.memory.job_index import By
from scheduler.adapters.memory.store import MemoryData, MemoryStore
from scheduler.adapters.memory.time_index import Place, TimeIndex
from scheduler.application.dead_letters import has_fingerprint
from scheduler.application.dto import COUNT_CAP, HISTORY_CAP, JobFilter, JobPage, ListCursor, QueueDepth, QueueStats
from scheduler.application.ports.job_reader import JobReader
from scheduler.domain.attempt import Attempt
from scheduler.domain.ids import JobId
from scheduler.domain.job import Job
from scheduler.domain.priority import Priority
from scheduler.domain.state import JobState

_LEAST_ID = JobId(UUID(int=0))


class MemoryJobReader(JobReader):
    """Reads the jobs of a MemoryStore; `count_cap` bounds each count."""

    def __init__(self, store: MemoryStore, *, count_cap: int = COUNT_CAP) -> None:
        self._store = store
        self._count_cap = count_cap

    async def list_jobs(self, job_filter: JobFilter, *, limit: int, after: ListCursor | None) -> JobPage:
        """Return up to `limit` matching jobs, newest first, strictly older than `after`."""
        async with self._store.statement() as data:
            jobs = list(islice(_matching(data, job_filter, after), limit + 1))
        page = jobs[:limit]
        more = len(jobs) > limit and bool(page)
        return JobPage(jobs=page, next=ListCursor(created_at=page[-1].created_at, job_id=page[-1].id) if more else None)

    async def attempts(self, job_id: JobId) -> Sequence[Attempt] | None:
        """Return the job's newest attempts by fence, the running one included."""
        async with self._store.statement() as data:
            if job_id not in data.jobs:
                return None
            job = data.jobs[job_id].job
            ended = sorted(data.history.get(job_id, {}).values(), key=lambda attempt: attempt.id.fence)
        return [*ended[-HISTORY_CAP:], *_running(job)]

    async def queue_stats(self) -> QueueStats:
        """Count jobs per state and queue."""
        async with self._store.statement() as data:
            return QueueStats(
                queues={priority: self._depth(data.index.group(By.QUEUED, priority)) for priority in Priority},
                running=self._count(data, JobState.RUNNING),
                scheduled=self._count(data, JobState.SCHEDULED),
                retrying=self._count(data, JobState.RETRYING),
                dead_letters=self._count(data, JobState.DEADLETTER),
            )

    def _count(self, data: MemoryData, state: JobState) -> int:
        return min(len(data.index.group(By.STATE, state)), self._count_cap)

    def _depth(self, queue: TimeIndex) -> QueueDepth:
        oldest = next(queue.ascending(), None)
        return QueueDepth(depth=min(len(queue), self._count_cap), oldest_queued_at=oldest[0] if oldest else None)


def _matching(data: MemoryData, job_filter: JobFilter, after: ListCursor | None) -> Iterator[Job]:
    shortest = min(_groups(data, job_filter), key=len)
    for created_at, job_id in shortest.descending(_start(job_filter, after)):
        if job_filter.created_after is not None and created_at < job_filter.created_after:
            return
        job = data.jobs[job_id].job
        if _matches(job, job_filter):
            yield job


def _groups(data: MemoryData, job_filter: JobFilter) -> Iterator[TimeIndex]:
    yield data.index.group(By.ALL)
    if job_filter.state is not None:
        yield data.index.group(By.STATE, job_filter.state)
    if job_filter.priority is not None:
        yield data.index.group(By.PRIORITY, job_filter.priority)
    if job_filter.type is not None:
        yield data.index.group(By.TYPE, job_filter.type)
    for label in job_filter.labels.items():
        yield data.index.group(By.LABEL, label)


def _start(job_filter: JobFilter, after: ListCursor | None) -> Place | None:
    cursor = None if after is None else (after.created_at, after.job_id)
    if job_filter.created_before is None:
        return cursor
    bound = (job_filter.created_before, _LEAST_ID)
    return bound if cursor is None else min(bound, cursor)


def _matches(job: Job, job_filter: JobFilter) -> bool:
    return (
        job_filter.state in {None, job.state}
        and job_filter.priority in {None, job.priority}
        and job_filter.type in {None, job.type}
        and job_filter.labels.items() <= job.labels.items()
        and (job_filter.error_fingerprint is None or has_fingerprint(job, job_filter.error_fingerprint))
    )


def _running(job: Job) -> Iterator[Attempt]:
    if job.state is JobState.RUNNING and job.worker_id is not None and job.started_at is not None:
        yield Attempt(id=job.attempt_id, number=job.attempts, worker_id=job.worker_id, started_at=job.started_at)
