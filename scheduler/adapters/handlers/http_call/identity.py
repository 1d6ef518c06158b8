"""How a call tells its target which attempt of which job it is."""

from collections.abc import Mapping

from scheduler.application.ports.handlers import JobContext


def identity_headers(context: JobContext) -> Mapping[str, str]:
    """Return the headers by which a target can know a repeat, refuse an older attempt, and join a trace."""
    headers = {
        "idempotency-key": str(context.job_id),
        "x-job-attempt": str(context.attempt),
        "x-job-fence": str(context.fence),
        "traceparent": context.traceparent,
    }
    return {**headers, "tracestate": context.tracestate} if context.tracestate else headers
