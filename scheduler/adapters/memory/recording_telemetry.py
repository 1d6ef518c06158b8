"""Remembers what it was told, for whoever asks what operators would have seen."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from scheduler.application.dto import QueueStats
from scheduler.application.ports.queue_maintenance import QueueDepths
from scheduler.application.ports.telemetry import (
    FaultTelemetry,
    HandlerProcessTelemetry,
    ProcessEnd,
    ReaperTelemetry,
    RpcTelemetry,
    StopTelemetry,
    SubmitTelemetry,
    WorkerTelemetry,
)
from scheduler.domain.attempt import Attempt
from scheduler.domain.ids import AttemptId, WorkerId
from scheduler.domain.job import Job


@dataclass(slots=True)
class RecordingTelemetry(
    SubmitTelemetry,
    WorkerTelemetry,
    StopTelemetry,
    HandlerProcessTelemetry,
    ReaperTelemetry,
    FaultTelemetry,
    RpcTelemetry,
):
    """Every telemetry port at once."""

    submitted: list[Job] = field(default_factory=list)
    submit_errors: list[str] = field(default_factory=list)
    requeued: list[Job] = field(default_factory=list)
    started: list[Job] = field(default_factory=list)
    without_handler: list[Job] = field(default_factory=list)
    ended: list[tuple[Job, Attempt]] = field(default_factory=list)
    recorded: list[int] = field(default_factory=list)
    stale: list[AttemptId] = field(default_factory=list)
    inflight_counts: list[int] = field(default_factory=list)
    renewals: list[tuple[WorkerId, str]] = field(default_factory=list)
    processes: int = 0
    process_ends: list[ProcessEnd] = field(default_factory=list)
    cancel_latencies: list[timedelta] = field(default_factory=list)
    abandoned: list[Job] = field(default_factory=list)
    abandoned_alive: list[int] = field(default_factory=list)
    wear: list[int] = field(default_factory=list)
    released_due: list[Job] = field(default_factory=list)
    closed_workers: list[WorkerId] = field(default_factory=list)
    recovered: list[Job] = field(default_factory=list)
    repairs: Counter[str] = field(default_factory=Counter)
    samples: list[tuple[QueueDepths | None, QueueStats, int]] = field(default_factory=list)
    expired: list[int] = field(default_factory=list)
    faults: list[tuple[str, BaseException]] = field(default_factory=list)
    degraded_parts: set[str] = field(default_factory=set)
    calls: list[tuple[str, str]] = field(default_factory=list)
    caps: list[str] = field(default_factory=list)
    abandoned_mutations: int = 0

    def jobs_submitted(self, jobs: Sequence[Job]) -> None:
        """Remember acknowledged new jobs."""
        self.submitted.extend(jobs)

    def submit_failed(self, error_type: str) -> None:
        """Remember a refused or failed submit."""
        self.submit_errors.append(error_type)

    def jobs_requeued(self, jobs: Sequence[Job]) -> None:
        """Remember jobs that a client queued again."""
        self.requeued.extend(jobs)

    def jobs_started(self, jobs: Sequence[Job]) -> None:
        """Remember started jobs."""
        self.started.extend(jobs)

    def jobs_without_handler(self, jobs: Sequence[Job]) -> None:
        """Remember jobs that were given back."""
        self.without_handler.extend(jobs)

    def attempt_ended(self, job: Job, attempt: Attempt) -> None:
        """Remember a recorded result."""
        self.ended.append((job, attempt))

    def results_recorded(self, count: int) -> None:
        """Remember the size of a batch."""
        self.recorded.append(count)

    def stale_result(self, attempt_id: AttemptId) -> None:
        """Remember a result that was refused."""
        self.stale.append(attempt_id)

    def inflight(self, count: int) -> None:
        """Remember the number of running attempts."""
        self.inflight_counts.append(count)

    def lease_renewed(self, worker_id: WorkerId, *, result: str) -> None:
        """Remember a renewal."""
        self.renewals.append((worker_id, result))

    def handler_processes(self, count: int) -> None:
        """Remember how many live now."""
        self.processes = count

    def handler_process_ended(self, how: ProcessEnd) -> None:
        """Remember how a process ended."""
        self.process_ends.append(how)

    def cancelled(self, latency: timedelta) -> None:
        """Remember how long a cancel took."""
        self.cancel_latencies.append(latency)

    def handler_abandoned(self, job: Job, *, alive: int) -> None:
        """Remember the job and the number of such handlers."""
        self.abandoned.append(job)
        self.abandoned_alive.append(alive)

    def abandoned_handler_ended(self, job: Job, *, alive: int) -> None:  # noqa: ARG002 - the port's own
        """Remember the number of those left."""
        self.abandoned_alive.append(alive)

    def worn_out(self, *, alive: int) -> None:
        """Remember that the worker had to stop."""
        self.wear.append(alive)

    def grown(self, *, megabytes: int) -> None:
        """Remember that the worker had to stop."""
        self.wear.append(megabytes)

    def jobs_released_due(self, jobs: Sequence[Job]) -> None:
        """Remember jobs that came due."""
        self.released_due.extend(jobs)

    def workers_closed(self, workers: Sequence[WorkerId]) -> None:
        """Remember lost workers."""
        self.closed_workers.extend(workers)

    def jobs_recovered(self, jobs: Sequence[Job]) -> None:
        """Remember jobs taken back from lost workers."""
        self.recovered.extend(jobs)

    def queue_repaired(self, kind: str, count: int) -> None:
        """Add up repairs by kind."""
        self.repairs[kind] += count

    def depths(self, queue: QueueDepths | None, store: QueueStats, workers: int) -> None:
        """Remember a sample."""
        self.samples.append((queue, store, workers))

    def expired_leases(self, workers: int) -> None:
        """Remember how many there were."""
        self.expired.append(workers)

    def fault(self, event: str, error: BaseException, *, retry_in: timedelta | None = None) -> None:  # noqa: ARG002 - the port's own
        """Remember a fault."""
        self.faults.append((event, error))

    def degraded(self, part: str, *, is_degraded: bool) -> None:
        """Remember which parts the process works without."""
        (self.degraded_parts.add if is_degraded else self.degraded_parts.discard)(part)

    def rpc_ended(self, method: str, status: str, seconds: float, *, peer: str) -> None:  # noqa: ARG002 - the port's own
        """Remember a call and how it ended."""
        self.calls.append((method, status))

    def limited(self, cap: str) -> None:
        """Remember the cap."""
        self.caps.append(cap)

    def mutation_abandoned(self) -> None:
        """Count it."""
        self.abandoned_mutations += 1
