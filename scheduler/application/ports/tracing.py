"""Spans: what was done for whom, and how long it took. No method fails or blocks."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from scheduler.application.dto import StartedJob
from scheduler.application.outcomes import Released, Success
from scheduler.application.ports.telemetry import QueueTelemetry, StoreTelemetry
from scheduler.domain.ids import JobId
from scheduler.domain.retry import Failure
from scheduler.domain.submission import Submission
from scheduler.domain.trace import TraceContext

Outcome = Success | Failure | Released


class CallSpan(Protocol):
    """A call that is being served."""

    @abstractmethod
    def answered(self, status: str, error: BaseException | None) -> None:
        """Note the name of its status, and the error of which it died if it did."""


class AttemptSpan(Protocol):
    """An attempt from its start to its recorded result, in a trace of its own that is linked to its submitter's."""

    @property
    @abstractmethod
    def trace(self) -> TraceContext | None:
        """Return what the handler passes on; None where there is no trace at all."""

    @abstractmethod
    def current(self) -> AbstractContextManager[None]:
        """Make what is started inside, in this task, part of the attempt."""

    @abstractmethod
    def end(self, outcome: Outcome | None) -> None:
        """End it with what was decided; None: the job was no longer this attempt's."""


class Tracing(Protocol):
    """Makes spans."""

    @abstractmethod
    def call(self, method: str, caller: Callable[[], TraceContext | None]) -> AbstractContextManager[CallSpan]:
        """Enclose a call of the API; `caller` reads to whose trace it belongs."""

    @abstractmethod
    def submitted(self, job_id: JobId, submission: Submission) -> None:
        """Name the job that the current call submitted."""

    @abstractmethod
    def batch(self, name: str, members: Sequence[TraceContext | None]) -> AbstractContextManager[None]:
        """Enclose what is done for several at once: part of the first trace that is recorded, linked to the others."""

    @abstractmethod
    def attempt(self, started: StartedJob) -> AttemptSpan:
        """Begin an attempt."""

    @abstractmethod
    def store(self, following: StoreTelemetry) -> StoreTelemetry:
        """Return telemetry that makes spans of calls to the store, and passes all on."""

    @abstractmethod
    def queue(self, following: QueueTelemetry) -> QueueTelemetry:
        """Return telemetry that makes spans of calls to the queue, and passes all on."""

    @abstractmethod
    async def close(self) -> None:
        """Send what has ended, for a bounded time; nothing is recorded any more."""
