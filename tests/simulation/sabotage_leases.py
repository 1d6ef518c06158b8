"""Guards of workers, their leases and the reapers, taken out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from unittest.mock import patch
from uuid import uuid4

from scheduler.adapters.memory.worker_registry import MemoryWorkerRegistry
from scheduler.application.outcomes import AttemptResult
from scheduler.application.use_cases.recover_lost_jobs import RecoverLostJobs
from scheduler.application.use_cases.start_jobs import StartJobs
from scheduler.application.worker.attempt import StopReason
from scheduler.application.worker.attempts import AttemptTable
from scheduler.application.worker.orphans import ReleaseOrphans
from scheduler.application.worker.worker import Worker
from scheduler.domain import lease
from scheduler.domain.ids import AttemptId, WorkerId
from scheduler.domain.lease import ReaperPatience, StoreReading


def _without_expired_by() -> Iterator[None]:
    """Let a reaper close what has expired by the time its statement is carried out, however long after its reading."""
    close_expired = MemoryWorkerRegistry.close_expired

    async def close_now(self: MemoryWorkerRegistry, expired_by: datetime) -> Sequence[WorkerId]:
        return await close_expired(self, datetime.max.replace(tzinfo=UTC))

    with patch.object(MemoryWorkerRegistry, "close_expired", close_now):
        yield


def _without_jumps() -> Iterator[None]:
    """Let reapers overlook that the store's clock was set."""
    with patch.object(lease, "MAX_CLOCK_JUMP", timedelta(days=1000)):
        yield


def _without_silences() -> Iterator[None]:
    """Let reapers overlook that the store was away."""
    observe = ReaperPatience.observe

    def observe_jumps(self: ReaperPatience, reading: StoreReading) -> ReaperPatience:
        after = observe(self, reading)
        if self._jumped(reading):
            return after
        return replace(after, patient_until=self.patient_until, looks=self.looks)

    with patch.object(ReaperPatience, "observe", observe_jumps):
        yield


def _without_orphans() -> Iterator[None]:
    """Let attempts that were started and never launched stay RUNNING."""

    async def leave(self: ReleaseOrphans, strangers: frozenset[AttemptId]) -> None:
        """Do nothing."""

    with patch.object(ReleaseOrphans, "execute", leave):
        yield


def _without_starts_under_way() -> Iterator[None]:
    """Let a start whose reply is late count as never launched."""
    nothing = property(lambda _self: frozenset(), lambda _self, _attempts: None)
    with patch.object(StartJobs, "under_way", nothing, create=True):
        yield


def _without_result_op_id() -> Iterator[None]:
    """Let each repetition of a result be a write of its own."""
    with patch.object(AttemptResult, "op_id", property(lambda _self: uuid4())):
        yield


def _without_lost_attempts() -> Iterator[None]:
    """Let renewals tell a worker nothing of attempts that lost their jobs."""
    checked = Worker.attempts_checked

    def none_lost(self: Worker, *, lost: frozenset[AttemptId], strangers: frozenset[AttemptId]) -> None:
        checked(self, lost=frozenset(), strangers=strangers)

    with patch.object(Worker, "attempts_checked", none_lost):
        yield


def _without_early_revocations() -> Iterator[None]:
    """Let a revocation that comes before its attempt be forgotten."""

    def stop(self: AttemptTable, attempt_id: AttemptId, reason: StopReason) -> None:
        for attempt in self:
            if attempt.started.attempt_id == attempt_id:
                attempt.stop(reason)

    with patch.object(AttemptTable, "stop", stop):
        yield


def _without_absent_workers() -> Iterator[None]:
    """Let jobs stay RUNNING under workers that were closed long ago, or that no one knows."""

    async def nothing(self: RecoverLostJobs) -> bool:
        return False

    with patch.object(RecoverLostJobs, "execute_absent", nothing):
        yield


LEASE_SABOTAGES: Mapping[str, Callable[[], Iterator[None]]] = MappingProxyType(
    {
        "expired-by": _without_expired_by,
        "clock-jumps": _without_jumps,
        "silences": _without_silences,
        "orphans": _without_orphans,
        "starts-under-way": _without_starts_under_way,
        "result-op-id": _without_result_op_id,
        "lost-attempts": _without_lost_attempts,
        "early-revocations": _without_early_revocations,
        "absent-workers": _without_absent_workers,
    }
)
