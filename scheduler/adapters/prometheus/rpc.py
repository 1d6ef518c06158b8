"""Metrics of the API's calls."""

from collections.abc import Sequence

from scheduler.adapters.prometheus.metrics import Metrics
from scheduler.application.ports.telemetry import RpcTelemetry

OTHER_METHODS = "other"


class RpcMetrics(RpcTelemetry):
    """Counts and times calls; `methods` are those served: whatever else clients call is one series."""

    def __init__(self, metrics: Metrics, *, methods: Sequence[str]) -> None:
        self._requests = metrics.counter("grpc_requests_total", "Calls that have ended.", "method", "status")
        seconds = metrics.histogram("grpc_request_duration_seconds", "From a call's start to its end.", "method")
        names = (*methods, OTHER_METHODS)
        self._seconds = {method: seconds.labels(method) for method in names}
        # Statuses are a small closed set, added as they are met.
        self._ended = {(method, "OK"): self._requests.labels(method, "OK") for method in methods}

    def rpc_ended(self, method: str, status: str, seconds: float, *, peer: str) -> None:  # noqa: ARG002 - logged
        """Count it by method and status, and observe how long it took."""
        known = method if method in self._seconds else OTHER_METHODS
        self._seconds[known].observe(seconds)
        ended = self._ended.get((known, status))
        if ended is None:
            ended = self._ended[known, status] = self._requests.labels(known, status)
        ended.inc()
