"""Between our trace contexts and those of OpenTelemetry."""

from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    TraceFlags,
    format_span_id,
    format_trace_id,
    set_span_in_context,
)
from opentelemetry.trace.span import TraceState

from scheduler.domain.trace import TraceContext


def to_span_context(trace: TraceContext) -> SpanContext:
    """Return it as OpenTelemetry has it."""
    return SpanContext(
        trace_id=int(trace.trace_id, 16),
        span_id=int(trace.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(trace.flags),
        trace_state=TraceState.from_header([trace.state]),
    )


def of_span(span: Span) -> TraceContext:
    """Return what is passed on of a span."""
    context = span.get_span_context()
    return TraceContext(
        trace_id=format_trace_id(context.trace_id),
        span_id=format_span_id(context.span_id),
        flags=int(context.trace_flags),
        state=context.trace_state.to_header(),
    )


def child_of(trace: TraceContext | None) -> Context:
    """Return a context in which spans are part of the trace; None: each begins one of its own."""
    return Context() if trace is None else set_span_in_context(NonRecordingSpan(to_span_context(trace)), Context())
