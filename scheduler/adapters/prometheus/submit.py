"""Metrics of the submission side."""

from collections import Counter
from collections.abc import Sequence

from scheduler.adapters.prometheus.metrics import Metrics, by_priority
from scheduler.application.ports.telemetry import SubmitTelemetry
from scheduler.domain.job import Job


class SubmitMetrics(SubmitTelemetry):
    """Counts submissions."""

    def __init__(self, metrics: Metrics) -> None:
        self._submitted = by_priority(
            metrics.counter("jobs_submitted_total", "New jobs that were acknowledged.", "priority")
        )
        self._errors = metrics.counter(
            "jobs_submitted_errors_total", "Submissions that were refused or failed.", "error_type"
        )

    def jobs_submitted(self, jobs: Sequence[Job]) -> None:
        """Add the jobs to their priorities' counts."""
        for priority, count in Counter(job.priority for job in jobs).items():
            self._submitted[priority].inc(count)

    def submit_failed(self, error_type: str) -> None:
        """Add one to the count of that error type."""
        self._errors.labels(error_type).inc()
