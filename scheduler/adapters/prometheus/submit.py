"""Metrics of the submission side."""

from collections import Counter
from collections.abc import Mapping, Sequence

from prometheus_client import Counter as PrometheusCounter

from scheduler.adapters.prometheus.metrics import Metrics, by_priority
from scheduler.application.ports.telemetry import SubmitTelemetry
from scheduler.domain.job import Job
from scheduler.domain.priority import Priority


class SubmitMetrics(SubmitTelemetry):
    """Counts submissions."""

    def __init__(self, metrics: Metrics) -> None:
        self._submitted = by_priority(
            metrics.counter("jobs_submitted_total", "New jobs that were acknowledged.", "priority")
        )
        self._batches = metrics.sizes("submit_batch_size", "New jobs that were acknowledged together.")
        self._errors = metrics.counter(
            "jobs_submitted_errors_total", "Submissions that were refused or failed.", "error_type"
        )

        self._requeued = by_priority(
            metrics.counter("jobs_requeued_total", "Ended jobs that a client queued again.", "priority")
        )

    def jobs_submitted(self, jobs: Sequence[Job]) -> None:
        """Add the jobs to their priorities' counts."""
        if jobs:
            self._batches.observe(len(jobs))
        _add(jobs, self._submitted)

    def submit_failed(self, error_type: str) -> None:
        """Add one to the count of that error type."""
        self._errors.labels(error_type).inc()

    def jobs_requeued(self, jobs: Sequence[Job]) -> None:
        """Add the jobs to their priorities' counts."""
        _add(jobs, self._requeued)


def _add(jobs: Sequence[Job], counters: Mapping[Priority, PrometheusCounter]) -> None:
    for priority, count in Counter(job.priority for job in jobs).items():
        counters[priority].inc(count)
