"""What the maintenance loops read, in memory."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain, islice, takewhile

from scheduler.adapters.memory.claim_shares import claim_shares
from scheduler.adapters.memory.job_index import By
from scheduler.adapters.memory.store import MemoryData, MemoryStore
from scheduler.adapters.memory.time_index import Place
from scheduler.application.dto import PurgeRule, QueueEntry, SweepCursor
from scheduler.application.ports.job_sweeper import JobSweeper
from scheduler.domain.ids import JobId, WorkerId
from scheduler.domain.job import Job
from scheduler.domain.priority import ClaimPlan, Priority


class MemoryJobSweeper(JobSweeper):
    """Reads bounded pages of a MemoryStore."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def due(self, now: datetime, limit: int) -> Sequence[Job]:
        """Return up to `limit` waiting jobs with run_at <= now, the longest due first."""
        async with self._store.statement() as data:
            places = takewhile(lambda place: place[0] <= now, data.index.group(By.DUE).ascending())
            return _jobs(data, places, limit)

    async def held_by_closed_workers(self, closed_within: timedelta, limit: int) -> Sequence[Job]:
        """Return RUNNING jobs of workers that were closed in the last `closed_within`."""
        async with self._store.statement() as data:
            since = self._store.clock.now() - closed_within
            closed = (row for row in data.workers.values() if row.closed_at is not None and row.closed_at >= since)
            return _held(data, (row.info.id for row in closed), limit)

    async def held_by_absent_workers(self, limit: int) -> Sequence[Job]:
        """Return RUNNING jobs whose worker is not registered, or was closed at any time."""
        async with self._store.statement() as data:
            return _held(data, (holder for holder in data.holders() if not _is_open(data, holder)), limit)

    async def claimable(
        self, plan: ClaimPlan, *, types: Sequence[str], excluding: Collection[JobId] = ()
    ) -> Sequence[QueueEntry]:
        """Return the queued jobs of these types that the plan would claim, in (priority, queued_at) order."""
        async with self._store.statement() as data:
            queues = {
                priority: list(islice(_fitting(data, priority, types, excluding), plan.limit)) for priority in Priority
            }
        shares = claim_shares(plan, {priority: len(queue) for priority, queue in queues.items()})
        return [entry for priority in Priority for entry in queues[priority][: shares[priority]]]

    async def queued_page(
        self, after: Mapping[Priority, SweepCursor], *, queued_before: datetime, limit: int
    ) -> Sequence[QueueEntry]:
        """Return, per priority, up to `limit` QUEUED jobs behind its cursor, in (queued_at, id) order."""
        async with self._store.statement() as data:
            pages = [_queued(data, priority, after.get(priority), limit) for priority in Priority]
        return [entry for page in pages for entry in page if entry.queued_at < queued_before]

    async def purge(self, rule: PurgeRule, *, now: datetime, limit: int) -> int:
        """Delete up to `limit` jobs that the rule allows to go; return how many."""
        async with self._store.statement() as data:
            ended = [data.index.group(By.ENDED, state).ascending() for state in dict.fromkeys(rule.states)]
            before = now - rule.keep_for
            old = chain.from_iterable(takewhile(lambda place: place[0] < before, places) for places in ended)
            doomed = list(islice(old, limit))
            for _, job_id in doomed:
                data.delete(job_id)
        return len(doomed)


def _jobs(data: MemoryData, places: Iterator[Place], limit: int) -> Sequence[Job]:
    return list(data.jobs_at(job_id for _, job_id in islice(places, limit)))


def _held(data: MemoryData, holders: Iterator[WorkerId], limit: int) -> Sequence[Job]:
    groups = (data.index.group(By.WORKER, holder).ascending() for holder in holders)
    return _jobs(data, chain.from_iterable(groups), limit)


def _is_open(data: MemoryData, worker_id: WorkerId) -> bool:
    row = data.workers.get(worker_id)
    return row is not None and row.closed_at is None


def _queued(data: MemoryData, priority: Priority, after: SweepCursor | None, limit: int) -> Sequence[QueueEntry]:
    start = None if after is None else (after.queued_at, after.job_id)
    places = islice(data.index.group(By.QUEUED, priority).ascending(start), limit)
    return [QueueEntry(job_id=job_id, priority=priority, queued_at=queued_at) for queued_at, job_id in places]


def _fitting(
    data: MemoryData, priority: Priority, types: Sequence[str], excluding: Collection[JobId]
) -> Iterator[QueueEntry]:
    for queued_at, job_id in data.index.group(By.QUEUED, priority).ascending():
        if job_id not in excluding and data.jobs[job_id].job.type in types:
            yield QueueEntry(job_id=job_id, priority=priority, queued_at=queued_at)
