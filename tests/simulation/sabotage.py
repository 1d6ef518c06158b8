"""Guards taken out one at a time, for tests only: a simulation that finds nothing then proves nothing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType, SimpleNamespace
from unittest.mock import patch
from uuid import UUID

from scheduler.adapters.memory import job_repository
from scheduler.adapters.memory.job_repository import MemoryJobRepository
from scheduler.adapters.memory.queue_state import Scores
from scheduler.adapters.memory.store import MemoryData
from scheduler.adapters.system.clock import MAX_ROUND_TRIP, SystemClock
from scheduler.application.dto import Change, TakenName
from scheduler.application.use_cases import follow_store_clock
from scheduler.application.worker import claim_loop
from scheduler.application.worker.attempt import StopReason
from scheduler.application.worker.attempts import AttemptTable
from scheduler.application.worker.lease import LeaseHolder, LeaseKeeper
from scheduler.domain.ids import AttemptId, JobId, OpId
from scheduler.domain.lease import ReaperPatience
from tests.simulation.sabotage_leases import LEASE_SABOTAGES
from tests.simulation.sabotage_queues import QUEUE_SABOTAGES

Patches = Callable[[], Iterator[None]]


def _store(data: MemoryData, change: Change) -> None:
    row = data.jobs[change.job.id]
    payload = row.payload if change.payload is None else change.payload
    result = row.result if change.result is None else change.result
    data.put(replace(row, job=change.stored_job, payload=payload, result=result))
    if change.ended is not None:
        data.history.setdefault(change.job.id, {}).setdefault(change.ended.id.fence, change.ended)


def _without_fence() -> Iterator[None]:
    """Store each change, whatever version the job is at."""

    def apply(data: MemoryData, change: Change) -> bool:
        if change.job.id in data.jobs:
            _store(data, change)
        return change.job.id in data.jobs

    with patch.object(job_repository, "_apply", apply):
        yield


def _without_op_id() -> Iterator[None]:
    """Let no write recognise its own effect: a repeated one looks like somebody else's."""

    def apply(data: MemoryData, change: Change) -> bool:
        row = data.jobs.get(change.job.id)
        if row is None or row.job.version != change.job.version - 1:
            return False
        _store(data, change)
        return True

    find_taken = MemoryJobRepository.find_taken

    async def find(self: MemoryJobRepository, ids: Sequence[JobId], keys: Sequence[str]) -> Sequence[TakenName]:
        nobody = OpId(UUID(int=0))
        return [replace(name, created_op_id=nobody) for name in await find_taken(self, ids, keys)]

    with ExitStack() as patches:
        patches.enter_context(patch.object(job_repository, "_apply", apply))
        patches.enter_context(patch.object(MemoryJobRepository, "find_taken", find))
        yield


def _without_idempotent_queue() -> Iterator[None]:
    """Let each repeated entry count as a new one, in the queues and among what is handed out."""
    add, remove = Scores.add, Scores.remove

    def add_anyway(self: Scores, job_id: JobId, at: datetime) -> bool:
        remove(self, job_id)
        return add(self, job_id, at)

    with patch.object(Scores, "add", add_anyway):
        yield


def _without_patience() -> Iterator[None]:
    """Let reapers close workers at once after an outage, a start or a jump of the clock."""
    with patch.object(ReaperPatience, "expired_by", lambda self: self.reading.now):
        yield


def _without_self_fencing() -> Iterator[None]:
    """Let workers believe in their lease however long they could not renew it."""

    def believe(self: LeaseKeeper, holder: LeaseHolder) -> None:
        """Do nothing."""

    with patch.object(LeaseKeeper, "_suspend_if_expiring", believe):
        yield


def _without_slow_readings() -> Iterator[None]:
    """Let a process whose first reading of the store's clock is slow begin by its own clock."""
    observe = SystemClock.observe

    def observe_quick(self: SystemClock, store_now: datetime, *, sent: float, received: float) -> None:
        if received - sent <= MAX_ROUND_TRIP:
            observe(self, store_now, sent=sent, received=received)

    with patch.object(SystemClock, "observe", observe_quick), patch.object(follow_store_clock, "MAX_READINGS", 1):
        yield


def _without_second_look() -> Iterator[None]:
    """Let a start that outlives its lease launch its jobs all the same."""
    with patch.object(claim_loop, "StopReason", SimpleNamespace(RELEASED=None)), _ignoring_stops_without_reason():
        yield


@contextmanager
def _ignoring_stops_without_reason() -> Iterator[None]:
    stop = AttemptTable.stop

    def stop_with_reason(self: AttemptTable, attempt_id: AttemptId, reason: StopReason | None) -> None:
        if reason is not None:
            stop(self, attempt_id, reason)

    with patch.object(AttemptTable, "stop", stop_with_reason):
        yield


SABOTAGES: Mapping[str, Patches] = MappingProxyType(
    {
        "fence": _without_fence,
        "op-id": _without_op_id,
        "idempotent-queue": _without_idempotent_queue,
        "patience": _without_patience,
        "self-fencing": _without_self_fencing,
        # What runs have found, undone.
        "slow-readings": _without_slow_readings,
        "second-look": _without_second_look,
        **LEASE_SABOTAGES,
        **QUEUE_SABOTAGES,
    }
)


@contextmanager
def sabotaged(what: str | None) -> Iterator[None]:
    """Take one guard out while inside; None leaves all in place."""
    if what is None:
        yield
    else:
        yield from SABOTAGES[what]()
