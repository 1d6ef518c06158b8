"""The memory adapters, watched from the inside: each change that took place, in order, and what may never happen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from scheduler.adapters.memory.job_queue import MemoryJobQueue
from scheduler.adapters.memory.job_repository import MemoryJobRepository
from scheduler.adapters.memory.queue_maintenance import MemoryQueueMaintenance
from scheduler.adapters.memory.queue_state import MemoryQueueState
from scheduler.adapters.memory.store import MemoryStore
from scheduler.adapters.memory.worker_registry import MemoryWorkerRegistry
from scheduler.application.dto import Change, NewJob, QueueEntry, WorkerInfo
from scheduler.application.ports.event_bus import EventBus
from scheduler.domain.ids import JobId, WorkerId
from scheduler.domain.job import Job
from scheduler.domain.priority import ClaimPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One stored version of a job; `before` is None for its first."""

    at: float
    store_now: datetime
    by: str
    before: Job | None
    after: Job


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
    closings: dict[WorkerId, Closing] = field(default_factory=dict)
    renewals: dict[WorkerId, list[float]] = field(default_factory=dict)
    """When each worker's lease was opened and renewed."""
    hands: dict[JobId, datetime] = field(default_factory=dict)
    """Ids that are handed out, by their deadline."""
    violations: list[str] = field(default_factory=list)

    def violated(self, text: str) -> None:
        """Remember that something happened that may never happen."""
        self.violations.append(f"at {self.now():.4f}: {text}")


class WatchedRepository(MemoryJobRepository):
    """Writes each new version of a job into the journal."""

    def __init__(self, store: MemoryStore, journal: Journal, caller: Callable[[], str]) -> None:
        super().__init__(store)
        self._journal = journal
        self._caller = caller

    async def add_all(self, jobs: Sequence[NewJob]) -> None:
        await super().add_all(jobs)
        for new in jobs:
            self._moved(None, new.job)

    async def apply(self, changes: Sequence[Change]) -> frozenset[JobId]:
        ids = [change.job.id for change in changes]
        before = await self.load(ids)
        applied = await super().apply(changes)
        after = await self.load(ids)
        for job_id in dict.fromkeys(ids):
            if job_id in before and after[job_id] is not before[job_id]:
                self._moved(before[job_id], after[job_id])
        return applied

    def _moved(self, before: Job | None, after: Job) -> None:
        journal = self._journal
        move = Move(at=journal.now(), store_now=self._store.clock.now(), by=self._caller(), before=before, after=after)
        journal.moves.setdefault(after.id, []).append(move)


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

    async def ack(self, ids: Sequence[JobId]) -> None:
        await super().ack(ids)
        self._forget(ids)

    async def remove_all(self, ids: Sequence[JobId]) -> None:
        await super().remove_all(ids)
        self._forget(ids)

    async def give_back(self, entries: Sequence[QueueEntry]) -> None:
        await super().give_back(entries)
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
        return await super().return_overdue(back, gone)
