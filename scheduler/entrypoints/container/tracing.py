"""Spans, where they are wanted and the extra is there."""

import structlog

from scheduler.adapters.logging.redaction import Redaction
from scheduler.application.ports.tracing import Tracing
from scheduler.application.untraced import UNTRACED
from scheduler.entrypoints.process import ProcessOptions, program_version
from scheduler.entrypoints.settings import Settings


def build_tracing(settings: Settings, options: ProcessOptions) -> Tracing:
    """Begin to export spans if a collector is named; a missing extra is told, and harms nobody."""
    if not settings.exports_spans:
        return UNTRACED
    try:
        from scheduler.adapters.opentelemetry.exporting import export_spans  # noqa: PLC0415 - the extra may be missing
    except ImportError as error:
        structlog.get_logger("scheduler").warning("tracing_extra_missing", error=str(error))
        return UNTRACED
    return export_spans(
        service=options.service, version=program_version(), redact=Redaction(settings.secret_values).text
    )
