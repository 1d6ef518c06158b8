"""What a user's function became when it was declared a handler."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from scheduler.adapters.handlers.payload import PayloadReader
from scheduler.application.ports.handlers import JobContext

PayloadT = TypeVar("PayloadT")
ResultT = TypeVar("ResultT")


class Executor(StrEnum):
    """Where a handler runs."""

    ASYNC = "async"
    """In the worker's event loop."""
    THREAD = "thread"
    """In a thread of its own."""
    PROCESS = "process"
    """In a process of its own, which can be killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerDefinition(Generic[PayloadT, ResultT]):
    """A function, and the job type whose jobs it does. Called, it is the function alone: nothing is checked."""

    job_type: str
    function: Callable[[PayloadT, JobContext], ResultT]
    """Returns a result, or the coroutine of one where the executor is ASYNC."""
    payload: PayloadReader
    executor: Executor

    def __call__(self, payload: PayloadT, context: JobContext) -> ResultT:
        """Call the function."""
        return self.function(payload, context)

    @property
    def __wrapped__(self) -> Callable[[PayloadT, JobContext], ResultT]:
        """Return the function, for whoever wants its signature or its documentation."""
        return self.function


AnyDefinition = HandlerDefinition[object, object]
"""A definition whose types only its own reader and function know."""
