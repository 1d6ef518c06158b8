"""The decorator that declares a function a handler, and all that it refuses."""

import inspect
from collections.abc import Callable, Sequence
from types import FunctionType, SimpleNamespace
from typing import Literal, NoReturn, TypeVar, get_type_hints

from pydantic import PydanticUserError

from scheduler.adapters.handlers.definition import Executor, HandlerDefinition, place_of
from scheduler.adapters.handlers.payload import PayloadReader
from scheduler.application.ports.handlers import JobContext
from scheduler.domain.errors import InvalidFieldError, SchedulerError
from scheduler.domain.submission import check_job_type

PayloadT = TypeVar("PayloadT")
ResultT = TypeVar("ResultT")
ExecutorName = Literal["async", "thread", "process"]
_EXECUTORS = ", ".join(repr(executor.value) for executor in Executor)


class HandlerDeclarationError(SchedulerError):
    """A function cannot be a handler as it is declared; the message names it, its place and what is wrong."""


def handler(
    job_type: str, *, executor: ExecutorName | None = None
) -> Callable[[Callable[[PayloadT, JobContext], ResultT]], HandlerDefinition[PayloadT, ResultT]]:
    """Declare a function `(payload, context) -> result` the handler of a job type.

    The payload's annotation says what it is read as. A function with `async def` runs in the event loop, any other in
    a thread of its own; with `executor="process"` both run in a process, which can be killed. Raises
    HandlerDeclarationError.
    """

    def declare(function: Callable[[PayloadT, JobContext], ResultT]) -> HandlerDefinition[PayloadT, ResultT]:
        plain = _plain_function(job_type, function)
        return HandlerDefinition(
            job_type=_checked_type(plain, job_type),
            function=function,
            payload=_payload_reader(plain),
            executor=_executor(plain, executor),
        )

    return declare


def _plain_function(job_type: object, function: object) -> FunctionType:
    if not isinstance(job_type, str):
        raise HandlerDeclarationError(f'@handler needs a job type, as in @handler("mail.send"), got {job_type!r}')
    if not isinstance(function, FunctionType):
        raise HandlerDeclarationError(f"handler of {job_type!r}: must be a function, is {function!r}")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        _refuse(function, "yields, but a handler must return")
    return function


def _checked_type(function: FunctionType, job_type: str) -> str:
    try:
        check_job_type(job_type)
    except InvalidFieldError as error:
        _refuse(function, f"job type {job_type!r} {error.reason}")
    return job_type


def _executor(function: FunctionType, wanted: str | None) -> Executor:
    is_async = inspect.iscoroutinefunction(function)
    if wanted is None:
        return Executor.ASYNC if is_async else Executor.THREAD
    if wanted not in tuple(Executor):
        _refuse(function, f"executor must be one of {_EXECUTORS}, is {wanted!r}")
    if is_async and wanted == Executor.THREAD:
        _refuse(function, f"executor {wanted!r} runs functions without `async`")
    if not is_async and wanted == Executor.ASYNC:
        _refuse(function, "executor 'async' runs functions with `async def`")
    return Executor(wanted)


def _payload_reader(function: FunctionType) -> PayloadReader:
    payload, context = _parameters(function)
    if payload.annotation is payload.empty:
        _refuse(function, f"parameter {payload.name!r} needs an annotation: the type that payloads are read as")
    if not _may_be_context(function, context):
        _refuse(function, f"parameter {context.name!r} must be a JobContext, is annotated {context.annotation!r}")
    try:
        return PayloadReader(_resolve(function, payload))
    except NameError as error:
        _refuse(function, f"annotation of {payload.name!r}: {error}; it must be a name of the module")
    except (PydanticUserError, TypeError, SyntaxError) as error:
        reason = str(error).splitlines()[0]
        _refuse(function, f"parameter {payload.name!r} has a type that JSON cannot be read as: {reason}")


def _parameters(function: FunctionType) -> Sequence[inspect.Parameter]:
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())
    positional = all(one.kind in {one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD} for one in parameters)
    if not positional or len(parameters) != len(("payload", "context")):
        _refuse(function, f"must take two parameters, (payload, context), takes {signature}")
    return parameters


def _may_be_context(function: FunctionType, parameter: inspect.Parameter) -> bool:
    """Tell whether a JobContext can be passed; names that only type checkers know are left to them."""
    if parameter.annotation is parameter.empty:
        return True
    try:
        return _resolve(function, parameter) in {JobContext, object}
    except NameError:
        return True
    except (TypeError, SyntaxError):
        return False


def _resolve(function: FunctionType, parameter: inspect.Parameter) -> type[object]:
    """Evaluate one annotation, for those beside it may be meant for type checkers alone."""
    alone = SimpleNamespace(__annotations__={parameter.name: parameter.annotation})
    resolved: type[object] = get_type_hints(alone, function.__globals__, include_extras=True)[parameter.name]
    return resolved


def _refuse(function: FunctionType, reason: str) -> NoReturn:
    raise HandlerDeclarationError(f"handler {place_of(function)}: {reason}")
