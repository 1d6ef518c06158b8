"""Metrics of what every process has: dependencies and an event loop."""

from scheduler.adapters.prometheus.metrics import Metrics
from scheduler.application.ports.telemetry import DependencyTelemetry


class DependencyMetrics(DependencyTelemetry):
    """Shows which dependencies answer."""

    def __init__(self, metrics: Metrics) -> None:
        self._up = metrics.gauge("dependency_up", "1 while it answers.", "dependency", mode="livemostrecent")

    def dependency(self, name: str, *, ok: bool) -> None:
        """Set its gauge."""
        self._up.labels(name).set(int(ok))


class LoopLagMetrics:
    """Shows how late the event loop is."""

    def __init__(self, metrics: Metrics) -> None:
        self._lag = metrics.histogram("event_loop_lag_seconds", "How late the event loop woke a sleeper.")

    def observe(self, seconds: float) -> None:
        """Note one wake-up."""
        self._lag.observe(max(0.0, seconds))
