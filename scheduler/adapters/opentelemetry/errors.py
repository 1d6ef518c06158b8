"""Errors on spans. Their texts stay out, for those of a store may quote what it was given."""

from opentelemetry.trace import Span, StatusCode


def record_error(span: Span, error_type: str, text: str | None = None) -> None:
    """Mark the span as failed, by the kind of the error and, where that may be seen, its text."""
    attributes = {"exception.type": error_type} | ({"exception.message": text} if text else {})
    span.add_event("exception", attributes)
    span.set_attribute("error.type", error_type)
    span.set_status(StatusCode.ERROR, text or error_type)
