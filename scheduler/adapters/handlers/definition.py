"""What a user's function became when it was declared a handler."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import CodeType
from typing import Generic, Never, TypedDict, TypeVar, Unpack, cast

from scheduler.adapters.handlers.payload import PayloadReader
from scheduler.application.ports.handlers import JobContext
from scheduler.domain.priority import Priority
from scheduler.domain.retry import RetryPolicy
from scheduler.domain.submission import Submission

PayloadT_contra = TypeVar("PayloadT_contra", contravariant=True)
ResultT_co = TypeVar("ResultT_co", covariant=True)


class Executor(StrEnum):
    """Where a handler runs."""

    ASYNC = "async"
    """In the worker's event loop."""
    THREAD = "thread"
    """In a thread of its own."""
    PROCESS = "process"
    """In a process of its own, which can be killed."""


class JobFields(TypedDict, total=False):
    """What a submission may say beside its type, payload and priority."""

    idempotency_key: str | None
    max_attempts: int
    timeout: timedelta
    retry_policy: RetryPolicy
    labels: Mapping[str, str]
    run_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerDefinition(Generic[PayloadT_contra, ResultT_co]):
    """A function, and the job type whose jobs it does. Called, it is the function alone: nothing is checked."""

    job_type: str
    function: Callable[[PayloadT_contra, JobContext], ResultT_co]
    """Returns a result, or the coroutine of one: always where the executor is ASYNC, never where it is THREAD."""
    payload: PayloadReader
    executor: Executor

    def __call__(self, payload: PayloadT_contra, context: JobContext) -> ResultT_co:
        """Call the function."""
        return self.function(payload, context)

    def call(self, payload: str | None, context: JobContext) -> ResultT_co:
        """Read the payload from JSON and call the function; raise PermanentError when it cannot be read."""
        return self.function(cast("PayloadT_contra", self.payload.read(payload)), context)

    def job(
        self, payload: PayloadT_contra, *, priority: Priority = Priority.DEFAULT, **fields: Unpack[JobFields]
    ) -> Submission:
        """Return a job for this handler, to be submitted."""
        return Submission(type=self.job_type, priority=priority, payload=self.payload.write(payload), **fields)

    @property
    def place(self) -> str:
        """Name the function, and the line where it is declared."""
        return place_of(self.function)

    @property
    def __wrapped__(self) -> Callable[[PayloadT_contra, JobContext], ResultT_co]:
        """Return the function, for whoever wants its signature or its documentation."""
        return self.function


def place_of(function: Callable[..., object]) -> str:
    """Name a function, and the line where it is defined."""
    name = f"{function.__module__}.{function.__qualname__}"
    code = getattr(function, "__code__", None)
    return f"{name} ({code.co_filename}:{code.co_firstlineno})" if isinstance(code, CodeType) else name


AnyDefinition = HandlerDefinition[Never, object]
"""A definition of any types."""
