"""The trace in which a submitter calls us. Needs no OpenTelemetry."""

import sys

from scheduler.application.current_trace import current_trace
from scheduler.domain.trace import TraceContext


def caller_trace() -> TraceContext | None:
    """Return the caller's current span, else the trace of the job whose handler calls."""
    # Whoever has a span has imported the library; nobody else shall wait for it.
    return (_span_trace() if "opentelemetry.trace" in sys.modules else None) or current_trace()


def _span_trace() -> TraceContext | None:
    from opentelemetry.trace import get_current_span  # noqa: PLC0415 - the extra may be missing

    from scheduler.adapters.opentelemetry.contexts import of_span  # noqa: PLC0415 - as above

    span = get_current_span()
    return of_span(span) if span.get_span_context().is_valid else None
