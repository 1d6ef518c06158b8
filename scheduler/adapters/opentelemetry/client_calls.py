"""Spans of calls to SQL and to Redis. Those that serve nobody, like a worker's look into empty queues, have none."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.trace import SpanKind, Tracer, get_current_span

from scheduler.adapters.opentelemetry.errors import record_error
from scheduler.application.ports.telemetry import QueueTelemetry, StoreTelemetry


class TracedStore(StoreTelemetry):
    """Records statements, and passes all on to `following`."""

    def __init__(self, tracer: Tracer, following: StoreTelemetry) -> None:
        self._tracer = tracer
        self._following = following

    @contextmanager
    def call(self, operation: str) -> Iterator[None]:
        """Enclose a statement, with its repetitions."""
        with self._following.call(operation), _client_span(self._tracer, "postgresql", operation):
            yield

    def repeated(self, operation: str, reason: str) -> None:
        """Note it on the statement's span."""
        get_current_span().add_event("repeated", {"reason": reason})
        self._following.repeated(operation, reason)

    def connections(self, *, in_use: int, idle: int, waiting: int, limit: int) -> None:
        """Pass it on."""
        self._following.connections(in_use=in_use, idle=idle, waiting=waiting, limit=limit)


class TracedQueue(QueueTelemetry):
    """Records calls to Redis, and passes all on to `following`."""

    def __init__(self, tracer: Tracer, following: QueueTelemetry) -> None:
        self._tracer = tracer
        self._following = following

    @contextmanager
    def call(self, operation: str) -> Iterator[None]:
        """Enclose a call."""
        with self._following.call(operation), _client_span(self._tracer, "redis", operation):
            yield

    def breaker(self, *, is_open: bool) -> None:
        """Pass it on."""
        self._following.breaker(is_open=is_open)


@contextmanager
def _client_span(tracer: Tracer, system: str, operation: str) -> Iterator[None]:
    if not get_current_span().get_span_context().is_valid:
        yield
        return
    attributes = {"db.system.name": system, "db.operation.name": operation}
    with tracer.start_as_current_span(
        f"{system} {operation}",
        kind=SpanKind.CLIENT,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield
        except Exception as error:
            record_error(span, type(error).__name__)
            raise
