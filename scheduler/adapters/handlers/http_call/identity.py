"""How a call tells its target which attempt of which job it is."""

from collections.abc import Mapping
from hashlib import sha256

from scheduler.application.ports.handlers import JobContext

_SPAN_DIGITS = 16


def identity_headers(context: JobContext) -> Mapping[str, str]:
    """Return the headers by which a target can know a repeat, refuse an older attempt, and join a trace."""
    return {
        "idempotency-key": str(context.job_id),
        "x-job-attempt": str(context.attempt),
        "x-job-fence": str(context.fence),
        "traceparent": traceparent(context),
    }


def traceparent(context: JobContext) -> str:
    """Return the W3C trace context: one trace for the job, one span for the attempt, sampled."""
    span = sha256(f"{context.job_id} {context.fence}".encode()).hexdigest()[:_SPAN_DIGITS]
    return f"00-{context.job_id.hex}-{span}-01"
