"""The span of an attempt."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, assert_never

from opentelemetry.trace import Span, use_span

from scheduler.adapters.opentelemetry.contexts import of_span
from scheduler.adapters.opentelemetry.errors import record_error
from scheduler.application.current_trace import in_trace
from scheduler.application.outcomes import Released, Success
from scheduler.application.ports.tracing import AttemptSpan, Outcome
from scheduler.domain.retry import Failure
from scheduler.domain.trace import TraceContext

MAX_ERROR_CHARS: Final = 500
OUTCOME: Final = "job.outcome"


class OpenTelemetryAttempt(AttemptSpan):
    """One attempt: its handler, and the recording of its result."""

    def __init__(self, span: Span, *, redact: Callable[[str], str]) -> None:
        self._span = span
        self._redact = redact
        self._trace = of_span(span)

    @property
    def trace(self) -> TraceContext:
        """Return that of the attempt itself."""
        return self._trace

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make it the current span, for OpenTelemetry and for us."""
        with in_trace(self._trace), use_span(self._span, record_exception=False, set_status_on_exception=False):
            yield

    def end(self, outcome: Outcome | None) -> None:
        """End it; a failed attempt has its error."""
        match outcome:
            case Success():
                self._span.set_attribute(OUTCOME, "succeeded")
            case Failure(kind=kind, error=error):
                self._span.set_attribute(OUTCOME, "failed")
                record_error(self._span, kind.lower(), self._redact(error)[:MAX_ERROR_CHARS])
            case Released():
                self._span.set_attribute(OUTCOME, "released")
            case None:
                self._span.set_attribute(OUTCOME, "revoked")
            case _:
                assert_never(outcome)
        self._span.end()
