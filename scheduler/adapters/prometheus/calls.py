"""Metrics of calls to SQL and to Redis."""

from collections.abc import Iterator
from contextlib import contextmanager

from scheduler.adapters.prometheus.metrics import Metrics
from scheduler.application.ports.telemetry import QueueTelemetry, StoreTelemetry


class StoreMetrics(StoreTelemetry):
    """Times statements by their name, and shows the connections."""

    def __init__(self, metrics: Metrics) -> None:
        self._seconds = metrics.histogram(
            "store_operation_seconds",
            "SQL statements, with repetitions and the wait for a connection.",
            "operation",
        )
        self._errors = metrics.counter(
            "store_errors_total", "SQL statements that failed after all repetitions.", "operation", "kind"
        )
        self._retries = metrics.counter(
            "store_retries_total", "SQL statements that were repeated.", "operation", "reason"
        )
        connections = metrics.gauge("store_pool_connections", "SQL connections.", "state", mode="livesum")
        self._in_use, self._idle = connections.labels("in_use"), connections.labels("idle")
        self._waiting = metrics.gauge("store_pool_waiting", "Statements that wait for a connection.", mode="livesum")
        self._limit = metrics.gauge("store_pool_max_connections", "SQL connections at most.", mode="livesum")

    @contextmanager
    def call(self, operation: str) -> Iterator[None]:
        """Time it; count an error by its class."""
        with self._seconds.labels(operation).time():
            try:
                yield
            except Exception as error:
                self._errors.labels(operation, type(error).__name__).inc()
                raise

    def repeated(self, operation: str, reason: str) -> None:
        """Count it."""
        self._retries.labels(operation, reason).inc()

    def connections(self, *, in_use: int, idle: int, waiting: int, limit: int) -> None:
        """Set the gauges."""
        self._in_use.set(in_use)
        self._idle.set(idle)
        self._waiting.set(waiting)
        self._limit.set(limit)


class QueueMetrics(QueueTelemetry):
    """Times calls to Redis, and shows the breaker."""

    def __init__(self, metrics: Metrics) -> None:
        self._seconds = metrics.histogram("redis_operation_seconds", "Calls to Redis.", "operation")
        self._errors = metrics.counter("redis_errors_total", "Calls to Redis that failed.", "operation")
        self._breaker = metrics.gauge(
            "redis_breaker_open", "1 while Redis counts as away and is asked only now and then.", mode="livemax"
        )

    @contextmanager
    def call(self, operation: str) -> Iterator[None]:
        """Time it; count it if it fails."""
        with self._seconds.labels(operation).time():
            try:
                yield
            except Exception:
                self._errors.labels(operation).inc()
                raise

    def breaker(self, *, is_open: bool) -> None:
        """Set the gauge."""
        self._breaker.set(int(is_open))
