"""The spans of a process."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Link, Span, SpanKind, get_current_span, use_span

from scheduler.adapters.opentelemetry.attempt_span import OpenTelemetryAttempt
from scheduler.adapters.opentelemetry.client_calls import TracedQueue, TracedStore
from scheduler.adapters.opentelemetry.contexts import child_of, of_span, to_span_context
from scheduler.adapters.opentelemetry.errors import record_error
from scheduler.adapters.opentelemetry.shutdown import shut_down
from scheduler.application.current_trace import in_trace
from scheduler.application.dto import StartedJob
from scheduler.application.ports.telemetry import QueueTelemetry, StoreTelemetry
from scheduler.application.ports.tracing import AttemptSpan, CallSpan, Tracing
from scheduler.domain.ids import JobId
from scheduler.domain.submission import Submission
from scheduler.domain.trace import TraceContext

SCOPE = "scheduler"
MAX_LINKS = 128
_SERVICE = "scheduler.v1.SchedulerService"
# Of which the server is to blame, as OpenTelemetry's conventions for gRPC say.
_FAULTS = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})


class OpenTelemetryCall(CallSpan):
    """The span of one call of the API."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def answered(self, status: str, error: BaseException | None) -> None:
        """Note it; a refusal that is the caller's own fault is no error."""
        self._span.set_attribute("rpc.response.status_code", status)
        if status in _FAULTS:
            record_error(self._span, status if error is None else type(error).__name__)


class OpenTelemetryTracing(Tracing):
    """Records by a provider that is this object's own; `redact` hides the secrets in the texts of handlers' errors."""

    def __init__(self, provider: TracerProvider, *, redact: Callable[[str], str]) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer(SCOPE)
        self._redact = redact

    @contextmanager
    def call(self, method: str, caller: Callable[[], TraceContext | None]) -> Iterator[CallSpan]:
        """Record it as a part of the caller's trace."""
        attributes = {"rpc.system.name": "grpc", "rpc.method": f"{_SERVICE}/{method}"}
        span = self._tracer.start_span(
            f"{_SERVICE}/{method}", child_of(caller()), kind=SpanKind.SERVER, attributes=attributes
        )
        with _during(span):
            yield OpenTelemetryCall(span)

    def submitted(self, job_id: JobId, submission: Submission) -> None:
        """Put it on the current span."""
        get_current_span().set_attributes(
            {"job.id": str(job_id), "job.type": submission.type, "job.priority": submission.priority}
        )

    @contextmanager
    def batch(self, name: str, members: Sequence[TraceContext | None]) -> Iterator[None]:
        """Record it once, whoever is in it."""
        traces = [trace for trace in members if trace is not None]
        first = next((trace for trace in traces if trace.is_sampled), traces[0] if traces else None)
        links = [Link(to_span_context(trace)) for trace in traces[: MAX_LINKS + 1] if trace is not first]
        span = self._tracer.start_span(
            name, child_of(first), attributes={"batch.size": len(members)}, links=links[:MAX_LINKS]
        )
        with _during(span):
            yield

    def attempt(self, started: StartedJob) -> AttemptSpan:
        """Begin a trace, linked to the one in which the job was submitted."""
        job = started.job
        attributes: Mapping[str, str | int] = {
            "job.id": str(job.id),
            "job.type": job.type,
            "job.priority": job.priority,
            "job.attempt": job.attempts,
            "job.fence": job.version,
            "worker.id": str(job.worker_id),
        }
        links = [] if started.trace is None else [Link(to_span_context(started.trace))]
        span = self._tracer.start_span(
            f"run {job.type}", Context(), kind=SpanKind.CONSUMER, attributes=attributes, links=links
        )
        return OpenTelemetryAttempt(span, redact=self._redact)

    def store(self, following: StoreTelemetry) -> StoreTelemetry:
        """Record each statement that is part of a span."""
        return TracedStore(self._tracer, following)

    def queue(self, following: QueueTelemetry) -> QueueTelemetry:
        """Record each call to Redis that is part of a span."""
        return TracedQueue(self._tracer, following)

    async def close(self) -> None:
        """Send what has ended, or give up."""
        await shut_down(self._provider)


@contextmanager
def _during(span: Span) -> Iterator[None]:
    """Make it the current span, for OpenTelemetry and for us, and end it."""
    with (
        in_trace(of_span(span)),
        use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False),
    ):
        yield
