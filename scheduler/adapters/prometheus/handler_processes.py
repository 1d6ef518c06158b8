"""Metrics of the processes in which handlers run."""

from scheduler.adapters.prometheus.metrics import Metrics
from scheduler.application.ports.telemetry import HandlerProcessTelemetry, ProcessEnd


class HandlerProcessMetrics(HandlerProcessTelemetry):
    """Counts them."""

    def __init__(self, metrics: Metrics) -> None:
        self._count = metrics.gauge("handler_processes", "Handler processes that live now.", mode="livesum")
        ended = metrics.counter("handler_processes_ended_total", "Handler processes that ended.", "reason")
        self._ended = {how: ended.labels(how.value) for how in ProcessEnd}

    def handler_processes(self, count: int) -> None:
        """Set the gauge."""
        self._count.set(count)

    def handler_process_ended(self, how: ProcessEnd) -> None:
        """Count it by its reason."""
        self._ended[how].inc()
