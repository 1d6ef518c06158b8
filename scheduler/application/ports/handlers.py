"""The code that does a job's work."""

import math
import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, Self

from scheduler.domain.errors import SchedulerError
from scheduler.domain.ids import AttemptId, Fence, JobId, WorkerId
from scheduler.domain.trace import TraceContext


class HandlerLog(Protocol):
    """Where handlers log: a constant event name, and fields."""

    @abstractmethod
    def bind(self, **fields: object) -> Self:
        """Return a log that adds these fields to each line."""

    @abstractmethod
    def debug(self, event: str, **fields: object) -> None:
        """Log for whoever looks for a fault."""

    @abstractmethod
    def info(self, event: str, **fields: object) -> None:
        """Log for the operator."""

    @abstractmethod
    def warning(self, event: str, **fields: object) -> None:
        """Log what may need a look."""

    @abstractmethod
    def error(self, event: str, **fields: object) -> None:
        """Log what failed."""

    @abstractmethod
    def exception(self, event: str, **fields: object) -> None:
        """Log the exception that is being handled, with its traceback."""


class SilentLog(HandlerLog):
    """Keeps nothing."""

    def bind(self, **fields: object) -> Self:  # noqa: ARG002 - the port's parameters
        """Return itself."""
        return self

    def debug(self, event: str, **fields: object) -> None:
        """Ignore it."""

    def info(self, event: str, **fields: object) -> None:
        """Ignore it."""

    def warning(self, event: str, **fields: object) -> None:
        """Ignore it."""

    def error(self, event: str, **fields: object) -> None:
        """Ignore it."""

    def exception(self, event: str, **fields: object) -> None:
        """Ignore it."""


def _unheard(_percent: float, _message: str) -> None:
    """Progress that nobody follows."""


def _uncounted() -> Callable[[], None]:
    """Say that something runs on, to nobody."""
    return lambda: None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobContext:
    """What a handler knows of its attempt, and how it talks back. All of it may be used from any thread."""

    attempt_id: AttemptId
    """The job's id and the fence, which a handler can pass to its target."""
    job_type: str
    attempt: int
    """1 for the first try."""
    max_attempts: int
    worker_id: WorkerId
    deadline: datetime
    """When the attempt runs out of time, by the store's clock."""
    monotonic_deadline: float = math.inf
    """The same by this machine's `time.monotonic`; handlers use `seconds_left`."""
    trace: TraceContext | None = None
    """Where the attempt's work belongs; handlers use `traceparent`. None: in a trace of the job's own."""
    log: HandlerLog = field(default_factory=SilentLog)
    """Without the fields that name the attempt; handlers use `logger`."""
    cancellation: threading.Event = field(default_factory=threading.Event)
    """Set when the attempt must stop: the job was cancelled, ran out of time, or its worker gives it back."""
    report_progress: Callable[[float, str], None] = _unheard
    """Takes what `progress` was told."""
    leave_running: Callable[[], Callable[[], None]] = _uncounted
    """For adapters whose `run` ends before the thread or process in which the work is done.

    Called on the event loop before `run` raises CancelledError on; what it returns is called, from any thread and as
    often as one likes, once that thread or process has ended. Until then the attempt's handler counts as running: a
    worker that stops does not give the job back, and a while after the slot was freed the handler counts as abandoned.
    """

    @property
    def job_id(self) -> JobId:
        """Return the job's id: the same for all its attempts, hence a key under which a target can know a repeat."""
        return self.attempt_id.job_id

    @property
    def fence(self) -> Fence:
        """Return the attempt's fence: higher for each later attempt, so that a target can refuse an older one."""
        return self.attempt_id.fence

    @property
    def logger(self) -> HandlerLog:
        """Return a log whose lines have the `log_fields`."""
        return self.log.bind(**self.log_fields)

    @property
    def log_fields(self) -> dict[str, object]:
        """Return what names the job, its type, the attempt, its worker and its trace in a line of the log."""
        return {
            "job_id": str(self.job_id),
            "job_type": self.job_type,
            "attempt": self.attempt,
            "fence": self.fence,
            "worker_id": str(self.worker_id),
            "trace_id": self._trace.trace_id,
        }

    @property
    def traceparent(self) -> str:
        """Return the W3C header by which a call that the handler makes becomes part of the job's trace."""
        return self._trace.traceparent

    @property
    def tracestate(self) -> str:
        """Return the header that goes with `traceparent`; empty: none does."""
        return self._trace.state

    @property
    def _trace(self) -> TraceContext:
        return self.trace or TraceContext.of_attempt(self.attempt_id)

    @property
    def seconds_left(self) -> float:
        """Return how long the attempt may still run, 0 when its time is over: a limit for the calls that it makes."""
        return max(0.0, self.monotonic_deadline - time.monotonic())

    @property
    def cancelled(self) -> bool:
        """Tell whether the attempt must stop: what it does from now on will not be recorded."""
        return self.cancellation.is_set()

    def wait_cancelled(self, seconds: float) -> bool:
        """Sleep in a thread or process, at most until the attempt must stop; tell whether it must."""
        return self.cancellation.wait(seconds)

    def progress(self, percent: float, message: str = "") -> None:
        """Tell watchers how far the work is, from 0 to 100; cheap, and shown at most 5 times a second.

        The job keeps what was said last. Raises InvalidFieldError for a percent that is none; the message is cut to 256
        bytes.
        """
        self.report_progress(percent, message)


class PermanentError(SchedulerError):
    """Raised by a handler: the job is FAILED at once, no retry can help."""


class RetryLaterError(SchedulerError):
    """Raised by a handler: the attempt failed, and the next one should wait for `delay`, within max_backoff."""

    def __init__(self, message: str, delay: timedelta) -> None:
        """Keep the delay."""
        super().__init__(message)
        # A sum, for it refuses seconds as a bare number here, where the error is still the handler's own.
        self.delay = timedelta(0) + delay


class Handler(Protocol):
    """Runs one attempt. May run again for the same job: execution is at-least-once."""

    @abstractmethod
    async def run(self, payload: str | None, context: JobContext) -> str | None:
        """Do the work; `payload` and the returned result are JSON documents. Any exception is a failed attempt."""


class HandlerRegistry(Protocol):
    """The handlers that this worker has."""

    @abstractmethod
    def find(self, job_type: str) -> Handler | None:
        """Return the handler of the job type, or None."""

    @abstractmethod
    def types(self) -> Sequence[str]:
        """Return the registered job types, sorted."""
