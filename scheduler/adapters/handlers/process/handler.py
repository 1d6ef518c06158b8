"""Handlers that run in a process of their own."""

from datetime import timedelta
from typing import NoReturn

from scheduler.adapters.handlers.process.errors import HandlerProcessError
from scheduler.adapters.handlers.process.pool import ProcessPool
from scheduler.adapters.handlers.process.protocol import Failed, Request
from scheduler.application.ports.handlers import Handler, JobContext, PermanentError, RetryLaterError


class HandlerFailedError(HandlerProcessError):
    """The handler raised an error; the type that is raised here has its name."""


class ProcessHandler(Handler):
    """Calls a function of a user in one of the pool's processes."""

    def __init__(self, *, module: str, job_type: str, pool: ProcessPool) -> None:
        """Take the module that has the handler among its names when a process imports it."""
        self._module = module
        self._job_type = job_type
        self._pool = pool

    async def run(self, payload: str | None, context: JobContext) -> str | None:
        """Let a process read the payload, call the function and write its result."""
        outcome = await self._pool.run(self._request(payload, context), context)
        if isinstance(outcome, Failed):
            _raise(outcome)
        return outcome.result

    def _request(self, payload: str | None, context: JobContext) -> Request:
        return Request(
            module=self._module,
            job_type=self._job_type,
            payload=payload,
            job_id=str(context.job_id),
            fence=context.fence,
            attempt=context.attempt,
            max_attempts=context.max_attempts,
            worker_id=str(context.worker_id),
            deadline=context.deadline.isoformat(),
            monotonic_deadline=context.monotonic_deadline,
            traceparent=context.traceparent,
            tracestate=context.tracestate,
        )


def _raise(failed: Failed) -> NoReturn:
    if failed.permanent:
        raise PermanentError(failed.text)
    if failed.retry_after is not None:
        raise RetryLaterError(failed.text, timedelta(seconds=failed.retry_after))
    # An error reads the same wherever it was raised, and so do the many that are counted as one.
    raise type(failed.error, (HandlerFailedError,), {})(failed.text)
