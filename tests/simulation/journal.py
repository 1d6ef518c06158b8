"""The memory adapters, watched from the inside: each change that took place, in order, and what may never happen."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from scheduler.adapters.memory.ended_jobs import MemoryEndedJobs
from scheduler.adapters.memory.job_queue import MemoryJobQueue
from scheduler.adapters.memory.job_repository import MemoryJobRepository
from scheduler.adapters.memory.queue_maintenance import MemoryQueueMaintenance
from scheduler.adapters.memory.queue_state import MemoryQueueState, QueueData
from scheduler.adapters.memory.store import JobRow, MemoryStore
from scheduler.adapters.memory.worker_registry import MemoryWorkerRegistry
from scheduler.application.dto import Change, NewJob, PurgeRule, QueueEntry, WorkerInfo
from scheduler.application.ports.event_bus import EventBus
from scheduler.domain.attempt import Attempt
from scheduler.domain.ids import Fence, JobId, WorkerId
from scheduler.domain.job import Job
from scheduler.domain.priority import ClaimPlan
from tests.simulation.network import Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One stored version of a job; `before` is None for its first."""

    at: float
    store_now: datetime
    by: str
    cause: object
    """The client's call behind it, if one asked for just this."""
    before: Job | None
    after: Job
    payload: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """The end of a job's life, and what went with it."""

    at: float
    cause: object
    store_now: datetime
    row: JobRow
    history: Mapping[Fence, Attempt]


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """The end of a worker's registration: by itself, or by a reaper that found its lease expired."""

    at: float
    worker_id: WorkerId
    expired: bool


@dataclass(slots=True)
class Journal:
    """What the servers did."""

    now: Callable[[], float]
    moves: dict[JobId, list[Move]] = field(default_factory=dict)
    """Over all lives of an id: each begins with a move from nothing."""
    deletions: dict[JobId, list[Deletion]] = field(default_factory=dict)
    closings: dict[WorkerId, Closing] = field(default_factory=dict)
    renewals: dict[WorkerId, list[float]] = field(default_factory=dict)
    """When each worker's lease was opened and renewed."""
    hands: dict[JobId, datetime] = field(default_factory=dict)
    """Ids that are handed out, by their deadline."""
    swept: dict[JobId, Job] = field(default_factory=dict)
    """What the sweep has counted as missing, outside of a rebuild, as it was then."""
    enqueued_after_sweep: dict[JobId, float] = field(default_factory=dict)
    """How old a new job was that its submitter enqueued when the sweep had done so already."""
    violations: list[str] = field(default_factory=list)

    def violated(self, text: str) -> None:
        """Remember that something happened that may never happen."""
        self.violations.append(f"at {self.now():.4f}: {text}")


class WatchedRepository(MemoryJobRepository):
    """Writes each new version of a job into the journal."""

    def __init__(self, store: MemoryStore, journal: Journal, server: Server) -> None:
        super().__init__(store)
        self._journal = journal
        self._server = server

    async def add_all(self, jobs: Sequence[NewJob]) -> None:
        await super().add_all(jobs)
        for new in jobs:
            self._moved(None, new.job, new.payload)

    async def apply(self, changes: Sequence[Change]) -> frozenset[JobId]:
        ids = [change.job.id for change in changes]
        before = await self.load(ids)
        applied = await super().apply(changes)
        after = await self.load_details(ids)
        for job_id in dict.fromkeys(ids):
            if job_id in before and after[job_id].job is not before[job_id]:
                self._moved(before[job_id], after[job_id].job, after[job_id].payload)
        return applied

    def _moved(self, before: Job | None, after: Job, payload: str | None) -> None:
        journal, server = self._journal, self._server
        move = Move(
            at=journal.now(),
            store_now=self._store.clock.now(),
            by=server.caller,
            cause=server.cause,
            before=before,
            after=after,
            payload=payload,
        )
        journal.moves.setdefault(after.id, []).append(move)


class WatchedEndedJobs(MemoryEndedJobs):
    """Writes down what was deleted, and by whom."""

    def __init__(self, store: MemoryStore, journal: Journal, server: Server) -> None:
        super().__init__(store)
        self._rows = store
        self._journal = journal
        self._server = server

    async def delete(self, jobs: Sequence[Job]) -> int:
        async with self._rows.statement() as data:
            there = {job.id: data.jobs[job.id] for job in jobs if job.id in data.jobs}
            history = {job_id: data.history.get(job_id, {}) for job_id in there}
        count = await super().delete(jobs)
        async with self._rows.statement() as data:
            gone = [job_id for job_id in there if job_id not in data.jobs]
        for job_id in gone:
            self._deleted(there[job_id], history[job_id])
        return count

    def _deleted(self, row: JobRow, history: Mapping[Fence, Attempt]) -> None:
        deletion = Deletion(
            at=self._journal.now(),
            cause=self._server.cause,
            store_now=self._rows.clock.now(),
            row=row,
            history=history,
        )
        self._journal.deletions.setdefault(row.job.id, []).append(deletion)

    async def purgeable(self, rule: PurgeRule, *, now: datetime, limit: int) -> Sequence[Job]:
        """Read what a purge would delete: the first of the two statements that a purge is."""
        async with self._rows.statement() as data:
            ended = (row.job for row in data.jobs.values() if row.job.state in rule.states)
            before = now - rule.keep_for
            return [job for job in ended if job.finished_at is not None and job.finished_at < before][:limit]


class WatchedRegistry(MemoryWorkerRegistry):
    """Writes down who was registered until when."""

    def __init__(self, store: MemoryStore, journal: Journal) -> None:
        super().__init__(store)
        self._journal = journal

    async def register(self, worker: WorkerInfo, lease: timedelta) -> None:
        await super().register(worker, lease)
        self._renewed(worker.id)

    async def renew(self, worker_id: WorkerId, lease: timedelta) -> bool:
        renewed = await super().renew(worker_id, lease)
        if renewed:
            self._renewed(worker_id)
        return renewed

    async def close(self, worker_id: WorkerId) -> None:
        await super().close(worker_id)
        self._closed(worker_id, expired=False)

    async def close_expired(self, expired_by: datetime) -> Sequence[WorkerId]:
        closed = await super().close_expired(expired_by)
        for worker_id in closed:
            self._closed(worker_id, expired=True)
        return closed

    def _renewed(self, worker_id: WorkerId) -> None:
        self._journal.renewals.setdefault(worker_id, []).append(self._journal.now())

    def _closed(self, worker_id: WorkerId, *, expired: bool) -> None:
        closing = Closing(at=self._journal.now(), worker_id=worker_id, expired=expired)
        self._journal.closings.setdefault(worker_id, closing)


class WatchedQueue(MemoryJobQueue):
    """Follows who has which id in hand: nobody else may get it before it is acked, given back or overdue."""

    def __init__(self, state: MemoryQueueState, bus: EventBus, journal: Journal) -> None:
        super().__init__(state, bus)
        self._journal = journal

    async def claim(self, plan: ClaimPlan, hand_out: timedelta) -> Sequence[QueueEntry]:
        entries = await super().claim(plan, hand_out)
        hands = self._journal.hands
        for entry in entries:
            if entry.job_id in hands:
                self._journal.violated(f"{entry.job_id} was handed out while it was in another hand")
            hands[entry.job_id] = self._state.clock.now() + hand_out
        return entries

    async def enqueue_all(self, entries: Sequence[QueueEntry]) -> None:
        journal = self._journal
        for entry in entries:
            moves = journal.moves.get(entry.job_id, [])
            if moves and moves[-1].before is None and journal.swept.get(entry.job_id) is moves[-1].after:
                journal.enqueued_after_sweep[entry.job_id] = journal.now() - moves[-1].at
        await super().enqueue_all(entries)

    async def ack(self, ids: Sequence[JobId]) -> None:
        await super().ack(ids)
        self._forget(ids)

    async def remove_all(self, ids: Sequence[JobId]) -> None:
        await super().remove_all(ids)
        self._forget(ids)

    async def give_back(self, entries: Sequence[QueueEntry]) -> None:
        async with self._state.command() as data:
            elsewhere = [entry for entry in entries if entry.job_id not in data.processing and not _queued(data, entry)]
        await super().give_back(entries)
        async with self._state.command() as data:
            for entry in elsewhere:
                if _queued(data, entry):
                    self._journal.violated(f"{entry.job_id} was given back although it was not handed out")
        self._forget([entry.job_id for entry in entries])

    def _forget(self, ids: Sequence[JobId]) -> None:
        for job_id in ids:
            self._journal.hands.pop(job_id, None)


class WatchedMaintenance(MemoryQueueMaintenance):
    """Follows which hand-outs were taken back."""

    def __init__(self, state: MemoryQueueState, bus: EventBus, journal: Journal) -> None:
        super().__init__(state, bus)
        self._journal = journal

    async def return_overdue(self, back: Sequence[QueueEntry], gone: Sequence[JobId]) -> int:
        hands, now = self._journal.hands, self._state.clock.now()
        for job_id in [*(entry.job_id for entry in back), *gone]:
            if hands.get(job_id, now) <= now:
                hands.pop(job_id, None)
        returned = await super().return_overdue(back, gone)
        async with self._state.command() as data:
            for job_id in [*(entry.job_id for entry in back), *gone]:
                if hands.get(job_id, now) > now and job_id not in data.processing:
                    self._journal.violated(f"{job_id} was taken back before its hand-out was overdue")
        return returned

    async def enqueue_missing(self, entries: Sequence[QueueEntry]) -> int:
        async with self._state.command() as data:
            handed_out = [entry for entry in entries if entry.job_id in data.processing and not _queued(data, entry)]
            missing = [entry.job_id for entry in entries if not _queued(data, entry)]
        added = await super().enqueue_missing(entries)
        async with self._state.command() as data:
            if not data.epoch.startswith("building"):
                moves = self._journal.moves
                self._journal.swept.update({job_id: moves[job_id][-1].after for job_id in missing})
            for entry in handed_out:
                if _queued(data, entry):
                    self._journal.violated(f"{entry.job_id} was added as missing although it was handed out")
        return added


def _queued(data: QueueData, entry: QueueEntry) -> bool:
    return entry.job_id in data.queues[entry.priority]
