"""Metrics of handlers that were to end before they were done."""

from collections.abc import Sequence
from datetime import timedelta

from scheduler.adapters.prometheus.job_types import OTHER_TYPES
from scheduler.adapters.prometheus.metrics import Metrics
from scheduler.application.ports.telemetry import StopTelemetry
from scheduler.domain.job import Job


class StopMetrics(StopTelemetry):
    """Times cancels and counts abandoned handlers; `types` are the job types that get a series of their own."""

    def __init__(self, metrics: Metrics, *, types: Sequence[str]) -> None:
        self._latency = metrics.histogram(
            "cancel_latency_seconds", "From a cancel's commit until the handler was told and its slot was free."
        )
        abandoned = metrics.counter(
            "handlers_abandoned_total", "Handlers that did not end when they were told to.", "type"
        )
        self._abandoned = {job_type: abandoned.labels(job_type) for job_type in types}
        self._abandoned_other = abandoned.labels(OTHER_TYPES)
        self._alive = metrics.gauge("handlers_abandoned_alive", "Abandoned handlers that run on now.", mode="livesum")

    def cancelled(self, latency: timedelta) -> None:
        """Observe it; clocks of two servers may differ, it is never negative."""
        self._latency.observe(max(0.0, latency.total_seconds()))

    def handler_abandoned(self, job: Job, *, alive: int) -> None:
        """Count it by its job's type."""
        self._abandoned.get(job.type, self._abandoned_other).inc()
        self._alive.set(alive)

    def abandoned_handler_ended(self, job: Job, *, alive: int) -> None:  # noqa: ARG002 - counted when it was abandoned
        """Set the gauge."""
        self._alive.set(alive)

    def worn_out(self, *, alive: int) -> None:
        """Ignore it: the exit code tells, and the gauge has told."""

    def grown(self, *, megabytes: int) -> None:
        """Ignore it: the exit code tells."""
