"""Metrics of attempts that failed, fed by the worker and, for lost ones, by the reaper."""

from collections.abc import Sequence

from scheduler.adapters.prometheus.job_types import OTHER_TYPES, JobTypes
from scheduler.adapters.prometheus.metrics import Metrics, by_priority
from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.job import Job
from scheduler.domain.state import JobState

LAST_FAILURES = (AttemptOutcome.FAILED, AttemptOutcome.TIMED_OUT, AttemptOutcome.LOST)
FAILURES = (AttemptOutcome.RETRY, *LAST_FAILURES)


class FailureMetrics:
    """Counts failed attempts and dead letters by the job's type; the reason is the attempt's outcome."""

    def __init__(self, metrics: Metrics, *, types: Sequence[str] = ()) -> None:
        self._types = JobTypes(types)
        self._failures = metrics.counter(
            "job_failures_total", "Attempts that failed, by type and the attempt's outcome.", "type", "reason"
        )
        self._dead = by_priority(
            metrics.counter("jobs_deadlettered_total", "Jobs whose last attempt failed or was lost.", "priority")
        )
        self._dead_types = metrics.counter(
            "jobs_deadlettered_by_type_total", "The same, by type and the last attempt's outcome.", "type", "reason"
        )
        for job_type in (*types, OTHER_TYPES):
            self._show(job_type)

    def _show(self, job_type: str) -> None:
        """Let a type's counters begin at 0: a series that begins with its first failures hides them from rates."""
        for outcome in FAILURES:
            self._failures.labels(job_type, outcome.lower())
        for outcome in LAST_FAILURES:
            self._dead_types.labels(job_type, outcome.lower())

    def failed(self, job: Job, outcome: AttemptOutcome | None) -> None:
        """Count an attempt that ended in `outcome`, and the job if it is a dead letter now."""
        if outcome not in FAILURES:
            return
        labels = (self._types.label(job.type), outcome.lower())
        self._failures.labels(*labels).inc()
        if job.state is JobState.DEADLETTER:
            self._dead[job.priority].inc()
            self._dead_types.labels(*labels).inc()
