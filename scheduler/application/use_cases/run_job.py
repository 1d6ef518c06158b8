"""Run a handler once."""

import asyncio

from scheduler.application.current_attempt import in_attempt
from scheduler.application.dto import StartedJob
from scheduler.application.failures import failure_of
from scheduler.application.outcomes import Success
from scheduler.application.ports.handlers import HandlerRegistry, JobContext
from scheduler.domain.errors import InvalidFieldError
from scheduler.domain.json_document import check_json
from scheduler.domain.retry import Failure, FailureKind

MAX_RESULT_BYTES = 64 * 1024
MAX_TYPES_CHARS = 500


class RunJob:
    """Whatever a handler does ends as a success or a failure of its attempt, and as nothing else."""

    def __init__(self, *, handlers: HandlerRegistry) -> None:
        self._handlers = handlers

    async def execute(self, started: StartedJob, context: JobContext) -> Success | Failure:
        """Return how the handler ended; raises CancelledError only when this task was cancelled from outside."""
        handler = self._handlers.find(started.job.type)
        if handler is None:
            return self._unknown(started.job.type)
        try:
            with in_attempt(context):
                return _checked(await handler.run(started.payload, context))
        except asyncio.CancelledError as error:
            if _cancelled_from_outside():
                raise
            return failure_of(error)
        except BaseException as error:  # noqa: BLE001 - a handler may raise anything: exits, groups, another language's panics
            failure = failure_of(error)
            if context.cancelled:
                # Nobody may look at how an attempt ends that was stopped.
                context.logger.warning("handler_stopped_with_error", error=failure.error)
            return failure

    def _unknown(self, job_type: str) -> Failure:
        """Say so. It may be tried again: a worker that is being rolled out may know the type."""
        types = ", ".join(self._handlers.types())
        if len(types) > MAX_TYPES_CHARS:
            types = f"{types[:MAX_TYPES_CHARS]}…"
        return Failure(
            kind=FailureKind.ERROR,
            error=f"no handler for job type {job_type!r}; this worker has {types or 'none'}",
        )


def _cancelled_from_outside() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _checked(result: object) -> Success | Failure:
    if result is None:
        return Success()
    if not isinstance(result, str):
        return _unfit(f"result: must be a JSON document or None, is of type {type(result).__name__}")
    document = str.__str__(result)
    try:
        check_json("result", document, MAX_RESULT_BYTES)
    except InvalidFieldError as error:
        return _unfit(str(error))
    return Success(result=document)


def _unfit(reason: str) -> Failure:
    return Failure(kind=FailureKind.PERMANENT, error=reason)
