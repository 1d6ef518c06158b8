"""Metrics of the API's calls."""

from collections.abc import Sequence

from scheduler.adapters.prometheus.metrics import Metrics
from scheduler.application.ports.telemetry import RpcTelemetry

OTHER_METHODS = "other"
CAPS = (
    "health streams",
    "large requests",
    "reflection streams",
    "request arrival",
    "unread answers",
    "unread answers in time",
    "watches",
)
"""What refuses or ends calls, shown from the start."""


class RpcMetrics(RpcTelemetry):
    """Counts and times calls; `methods` are those served: whatever else clients call is one series."""

    def __init__(self, metrics: Metrics, *, methods: Sequence[str]) -> None:
        self._requests = metrics.counter("grpc_requests_total", "Calls that have ended.", "method", "status")
        seconds = metrics.histogram("grpc_request_duration_seconds", "From a call's start to its end.", "method")
        limited = metrics.counter("grpc_limited_total", "Calls that a cap refused or ended.", "cap")
        self._limited = {cap: limited.labels(cap) for cap in CAPS}
        self._abandoned = metrics.counter("grpc_abandoned_mutations_total", "Mutations that went on without a client.")
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

    def limited(self, cap: str) -> None:
        """Count it by the cap; the names of caps are few, and stand in the code."""
        self._limited[cap].inc()

    def mutation_abandoned(self) -> None:
        """Count it."""
        self._abandoned.inc()
