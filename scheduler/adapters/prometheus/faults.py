"""Metrics of faults that were met and survived."""

from datetime import timedelta

from scheduler.adapters.prometheus.metrics import Metrics
from scheduler.application.ports.telemetry import FaultTelemetry

PARTS = ("store", "queue")


class FaultMetrics(FaultTelemetry):
    """Counts faults by event, and shows which part is missing."""

    def __init__(self, metrics: Metrics) -> None:
        self._faults = metrics.counter("faults_total", "Faults that were met and survived.", "event")
        self._degraded = metrics.gauge(
            "degraded", "1 while the process works without that part.", "part", mode="livemax"
        )
        for part in PARTS:
            self._degraded.labels(part)

    def fault(self, event: str, error: BaseException, *, retry_in: timedelta | None = None) -> None:  # noqa: ARG002 - logged
        """Count it by its event."""
        self._faults.labels(event).inc()

    def degraded(self, part: str, *, is_degraded: bool) -> None:
        """Set the part's gauge."""
        self._degraded.labels(part).set(int(is_degraded))
