"""Run a handler once."""

import asyncio

from scheduler.application.dto import StartedJob
from scheduler.application.outcomes import Success
from scheduler.application.ports.handlers import (
    Handler,
    HandlerRegistry,
    JobContext,
    PermanentError,
    RetryLaterError,
)
from scheduler.domain.errors import InvalidFieldError
from scheduler.domain.json_document import check_json
from scheduler.domain.retry import Failure, FailureKind

MAX_RESULT_BYTES = 64 * 1024


class RunJob:
    """Whatever a handler does ends as a success or a failure of its attempt, and as nothing else."""

    def __init__(self, *, handlers: HandlerRegistry) -> None:
        self._handlers = handlers

    async def execute(self, started: StartedJob, context: JobContext) -> Success | Failure:
        """Return how the attempt ended; raises CancelledError only when this task was cancelled from outside."""
        handler = self._handlers.find(started.job.type)
        if handler is None:
            return Failure(kind=FailureKind.ERROR, error=f"no handler for job type {started.job.type!r}")
        limit = asyncio.timeout(started.job.timeout.total_seconds())
        try:
            async with limit:
                return await _run(handler, started.payload, context)
        except TimeoutError:
            seconds = started.job.timeout.total_seconds()
            return Failure(kind=FailureKind.TIMEOUT, error=f"ran longer than its timeout of {seconds:g} s")


async def _run(handler: Handler, payload: str | None, context: JobContext) -> Success | Failure:
    try:
        return _checked(await handler.run(payload, context))
    except PermanentError as error:
        return Failure(kind=FailureKind.PERMANENT, error=_text(error))
    except RetryLaterError as error:
        return Failure(kind=FailureKind.ERROR, error=_text(error), retry_after=error.delay)
    except asyncio.CancelledError as error:
        if _cancelled_from_outside():
            raise
        return _failure(error)
    except BaseException as error:  # noqa: BLE001 - a handler may raise anything: exits, groups, another language's panics
        return _failure(error)


def _cancelled_from_outside() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _checked(result: str | None) -> Success | Failure:
    try:
        if result is not None:
            check_json("result", result, MAX_RESULT_BYTES)
    except InvalidFieldError as error:
        return Failure(kind=FailureKind.PERMANENT, error=str(error))
    return Success(result=result)


def _failure(error: BaseException) -> Failure:
    text, name = _text(error), type(error).__name__
    return Failure(kind=FailureKind.ERROR, error=f"{name}: {text}" if text else name)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an error that cannot be shown is an error all the same
        return ""
