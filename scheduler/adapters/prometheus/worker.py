"""Metrics of the worker."""

from collections.abc import Sequence

from prometheus_client import Histogram

from scheduler.adapters.prometheus.failures import FailureMetrics
from scheduler.adapters.prometheus.job_types import OTHER_TYPES
from scheduler.adapters.prometheus.metrics import Metrics, by_priority
from scheduler.application.ports.telemetry import WorkerTelemetry
from scheduler.domain.attempt import Attempt
from scheduler.domain.ids import AttemptId, WorkerId
from scheduler.domain.job import Job
from scheduler.domain.state import JobState

LEASE_RESULTS = ("ok", "closed", "unavailable")
# A cancelled or released attempt has no result, and is not processed.
_STATUS_BY_STATE = {
    JobState.SUCCEEDED: "success",
    JobState.FAILED: "failed",
    JobState.DEADLETTER: "failed",
    JobState.RETRYING: "retry",
}


class WorkerMetrics(WorkerTelemetry):
    """Counts and times attempts; `types` are the job types that get a series of their own."""

    def __init__(self, metrics: Metrics, *, types: Sequence[str], slots: int) -> None:
        processed = metrics.counter("jobs_processed_total", "Recorded results of attempts.", "status")
        statuses = {status: processed.labels(status) for status in ("success", "failed", "retry")}
        self._processed = {state: statuses[status] for state, status in _STATUS_BY_STATE.items()}
        self._retried = by_priority(
            metrics.counter("jobs_retried_total", "Failed attempts that will be tried again.", "priority")
        )
        self._failures = FailureMetrics(metrics, types=types)
        self._claims = metrics.sizes("claim_batch_size", "Jobs that were claimed and started together.")
        self._results = metrics.sizes("finish_batch_size", "Results that went to the store together.")
        self._waited = by_priority(
            metrics.histogram("queue_latency_seconds", "From a job's place in the queue to its start.", "priority")
        )
        self._ran, self._ran_other = _run_times(metrics, types)
        self._stale = metrics.counter("stale_results_total", "Results refused because their attempt was over.")
        self._without_handler = metrics.counter(
            "jobs_without_handler_total", "Claimed jobs whose type has no handler in that worker; they were given back."
        )
        self._inflight = metrics.gauge("worker_inflight_jobs", "Attempts that run now.", mode="livesum")
        metrics.gauge("worker_slots", "Attempts that may run at once.", mode="livesum").set(slots)
        renewals = metrics.counter("lease_renewals_total", "Renewals of the worker's lease.", "result")
        self._renewals = {result: renewals.labels(result) for result in LEASE_RESULTS}

    def jobs_started(self, jobs: Sequence[Job]) -> None:
        """Observe how long each job waited; clocks of two servers may differ, a wait is never negative."""
        if jobs:
            self._claims.observe(len(jobs))
        for job in jobs:
            if job.started_at is not None and job.queued_at is not None:
                self._waited[job.priority].observe(max(0.0, (job.started_at - job.queued_at).total_seconds()))

    def jobs_without_handler(self, jobs: Sequence[Job]) -> None:
        """Count them."""
        self._without_handler.inc(len(jobs))

    def attempt_ended(self, job: Job, attempt: Attempt) -> None:
        """Count and time an attempt that has a result."""
        processed = self._processed.get(job.state)
        if processed is None:
            return
        processed.inc()
        if job.state is JobState.RETRYING:
            self._retried[job.priority].inc()
        self._failures.failed(job, attempt.outcome)
        if attempt.finished_at is not None:
            seconds = (attempt.finished_at - attempt.started_at).total_seconds()
            self._ran.get(job.type, self._ran_other).observe(max(0.0, seconds))

    def results_recorded(self, count: int) -> None:
        """Observe it."""
        self._results.observe(count)

    def stale_result(self, attempt_id: AttemptId) -> None:  # noqa: ARG002 - ids are no labels
        """Count it."""
        self._stale.inc()

    def inflight(self, count: int) -> None:
        """Set the gauge."""
        self._inflight.set(count)

    def lease_renewed(self, worker_id: WorkerId, *, result: str) -> None:  # noqa: ARG002 - ids are no labels
        """Count it by its result."""
        self._renewals[result].inc()


def _run_times(metrics: Metrics, types: Sequence[str]) -> tuple[dict[str, Histogram], Histogram]:
    """Return the histograms by job type, and the one of all other types."""
    ran = metrics.histogram("job_processing_duration_seconds", "From an attempt's start to its result.", "type")
    return {job_type: ran.labels(job_type) for job_type in types}, ran.labels(OTHER_TYPES)
