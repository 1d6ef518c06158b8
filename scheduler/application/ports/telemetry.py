"""What operators see. No method fails or blocks; implementations add no job ids to metrics."""

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from scheduler.application.dto import QueueStats
from scheduler.application.ports.queue_maintenance import QueueDepths
from scheduler.domain.attempt import Attempt
from scheduler.domain.ids import AttemptId, WorkerId
from scheduler.domain.job import Job


class SubmitTelemetry(Protocol):
    """Told by the submission side."""

    @abstractmethod
    def jobs_submitted(self, jobs: Sequence[Job]) -> None:
        """Count acknowledged new jobs."""

    @abstractmethod
    def submit_failed(self, error_type: str) -> None:
        """Count a refused or failed submit by the kind of its error."""

    @abstractmethod
    def jobs_requeued(self, jobs: Sequence[Job]) -> None:
        """Count ended jobs that a client queued again."""


class WorkerTelemetry(Protocol):
    """Told by the worker."""

    @abstractmethod
    def jobs_started(self, jobs: Sequence[Job]) -> None:
        """Note how long each job waited in its queue (started_at - queued_at)."""

    @abstractmethod
    def jobs_without_handler(self, jobs: Sequence[Job]) -> None:
        """Note jobs that this worker claimed, has no handler for, and gave back."""

    @abstractmethod
    def attempt_ended(self, job: Job, attempt: Attempt) -> None:
        """Note a recorded result: the job as it now stands, and the attempt."""

    @abstractmethod
    def results_recorded(self, count: int) -> None:
        """Note how many results went to the store together."""

    @abstractmethod
    def stale_result(self, attempt_id: AttemptId) -> None:
        """Count a result that was refused because its attempt is no longer current."""

    @abstractmethod
    def inflight(self, count: int) -> None:
        """Set the number of attempts that run now."""

    @abstractmethod
    def lease_renewed(self, worker_id: WorkerId, *, result: str) -> None:
        """Count a renewal: "ok", "closed" or "unavailable"."""


class ProcessEnd(StrEnum):
    """Why a handler process ended."""

    RECYCLED = "recycled"
    """It ran enough attempts, had too much memory, or left too much behind."""
    IDLE = "idle"
    """It had nothing to do."""
    KILLED = "killed"
    """Its attempt was stopped."""
    CRASHED = "crashed"
    """By itself."""


class HandlerProcessTelemetry(Protocol):
    """Told by the worker's handler processes."""

    @abstractmethod
    def handler_processes(self, count: int) -> None:
        """Set the number of processes that live now."""

    @abstractmethod
    def handler_process_ended(self, how: ProcessEnd) -> None:
        """Count the end of a process."""


class StopTelemetry(Protocol):
    """Told by the worker of handlers that were to end before they were done."""

    @abstractmethod
    def cancelled(self, latency: timedelta) -> None:
        """Note how long it took from a cancel's commit until the handler was told and its slot was free."""

    @abstractmethod
    def handler_abandoned(self, job: Job, *, alive: int) -> None:
        """Count a handler that did not end when it was told to; `alive` such run now."""

    @abstractmethod
    def abandoned_handler_ended(self, job: Job, *, alive: int) -> None:
        """Note that it has ended after all; `alive` others run on."""

    @abstractmethod
    def worn_out(self, *, alive: int) -> None:
        """Note that the worker stops because so many abandoned handlers run in it."""

    @abstractmethod
    def grown(self, *, megabytes: int) -> None:
        """Note that the worker stops because it has so much memory."""


class ReaperTelemetry(Protocol):
    """Told by the reaper."""

    @abstractmethod
    def jobs_released_due(self, jobs: Sequence[Job]) -> None:
        """Count scheduled and retrying jobs that came due."""

    @abstractmethod
    def workers_closed(self, workers: Sequence[WorkerId]) -> None:
        """Note workers whose lease expired."""

    @abstractmethod
    def jobs_recovered(self, jobs: Sequence[Job]) -> None:
        """Count jobs taken back from lost workers."""

    @abstractmethod
    def queue_repaired(self, kind: str, count: int) -> None:
        """Count repairs: "missing", "ghost", "junk", "overdue" or "rebuild"."""

    @abstractmethod
    def depths(self, queue: QueueDepths | None, store: QueueStats, workers: int) -> None:
        """Set the gauges; `queue` is None while Redis is away."""

    @abstractmethod
    def expired_leases(self, workers: int) -> None:
        """Set how many workers whose lease has ended still are open or hold jobs."""


class FaultTelemetry(Protocol):
    """Told by whoever meets a fault and goes on."""

    @abstractmethod
    def fault(self, event: str, error: BaseException, *, retry_in: timedelta | None = None) -> None:
        """Log a fault under a constant event name, and count it by that name."""

    @abstractmethod
    def degraded(self, part: str, *, is_degraded: bool) -> None:
        """Set whether the process works without that part."""


class RpcTelemetry(Protocol):
    """Told by the server of the API."""

    @abstractmethod
    def rpc_ended(self, method: str, status: str, seconds: float, *, peer: str) -> None:
        """Count a call by its method's short name and its status name, and note how long it took and whose it was."""

    @abstractmethod
    def limited(self, cap: str) -> None:
        """Count a call or connection that a cap on one client's or all clients' use ended or refused, by that cap."""

    @abstractmethod
    def mutation_abandoned(self) -> None:
        """Count a mutation that goes on without its client."""


class CallTelemetry(Protocol):
    """Told by an adapter of its calls to a server: SQL or Redis. Operations are few, and named in the code."""

    @abstractmethod
    def call(self, operation: str) -> AbstractContextManager[None]:
        """Enclose a call: note how long it took, and count it by its error when it raises one."""


class StoreTelemetry(CallTelemetry, Protocol):
    """Told by the adapter of the store."""

    @abstractmethod
    def repeated(self, operation: str, reason: str) -> None:
        """Count a try that failed and is repeated."""

    @abstractmethod
    def connections(self, *, in_use: int, idle: int, waiting: int, limit: int) -> None:
        """Set the numbers of connections, and of statements that wait for one."""


class QueueTelemetry(CallTelemetry, Protocol):
    """Told by the adapter of the queue."""

    @abstractmethod
    def breaker(self, *, is_open: bool) -> None:
        """Set whether the queue counts as away."""


class DependencyTelemetry(Protocol):
    """Told of each probe of a dependency."""

    @abstractmethod
    def dependency(self, name: str, *, ok: bool) -> None:
        """Set whether it answered."""
