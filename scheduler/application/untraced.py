"""A process without spans: jobs keep and pass on the traces of their submitters all the same."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from scheduler.application.current_trace import in_trace
from scheduler.application.dto import StartedJob
from scheduler.application.ports.telemetry import QueueTelemetry, StoreTelemetry
from scheduler.application.ports.tracing import AttemptSpan, CallSpan, Outcome, Tracing
from scheduler.domain.ids import JobId
from scheduler.domain.submission import Submission
from scheduler.domain.trace import TraceContext


class _UntracedCall(CallSpan):
    def answered(self, status: str, error: BaseException | None) -> None:
        """Do nothing."""


class _UntracedAttempt(AttemptSpan):
    __slots__ = ("_trace",)

    def __init__(self, trace: TraceContext | None) -> None:
        self._trace = trace

    @property
    def trace(self) -> TraceContext | None:
        return self._trace

    def current(self) -> AbstractContextManager[None]:
        return in_trace(self._trace)

    def end(self, outcome: Outcome | None) -> None:
        """Do nothing."""


class Untraced(Tracing):
    """Makes none."""

    def __init__(self) -> None:
        self._call = _UntracedCall()

    @contextmanager
    def call(self, method: str, caller: Callable[[], TraceContext | None]) -> Iterator[CallSpan]:  # noqa: ARG002 - not looked at
        """Let what is logged inside name the caller's trace."""
        with in_trace(caller()):
            yield self._call

    def submitted(self, job_id: JobId, submission: Submission) -> None:
        """Do nothing."""

    def batch(self, name: str, members: Sequence[TraceContext | None]) -> AbstractContextManager[None]:  # noqa: ARG002 - not looked at
        """Do nothing around it."""
        return nullcontext()

    def attempt(self, started: StartedJob) -> AttemptSpan:
        """Return one by which the handler passes on its submitter's trace as it came."""
        return _UntracedAttempt(started.trace)

    def store(self, following: StoreTelemetry) -> StoreTelemetry:
        """Return it."""
        return following

    def queue(self, following: QueueTelemetry) -> QueueTelemetry:
        """Return it."""
        return following

    async def close(self) -> None:
        """Do nothing."""


UNTRACED = Untraced()
