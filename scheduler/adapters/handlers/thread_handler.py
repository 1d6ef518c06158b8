"""Handlers that run in a thread of their own."""

import asyncio
from concurrent.futures import Future
from contextvars import copy_context
from dataclasses import dataclass
from threading import Thread

from scheduler.adapters.handlers.definition import AnyDefinition
from scheduler.adapters.handlers.result import write_result
from scheduler.application.ports.handlers import Handler, JobContext


@dataclass(frozen=True, slots=True)
class _Raised:
    """What a function raised, kept as a value: futures and threads do not let every exception through."""

    error: BaseException


_Outcome = str | None | _Raised


class ThreadHandler(Handler):
    """Calls a function of a user in a new thread.

    A pool's threads would be lost to functions that never end. No thread can be stopped: one that is cancelled is told
    by `context.cancelled`, left alone and reported until it ends.
    """

    def __init__(self, definition: AnyDefinition) -> None:
        self._definition = definition

    async def run(self, payload: str | None, context: JobContext) -> str | None:
        """Read the payload, call the function and write its result, all in the thread."""
        ending = self._start(payload, context)
        try:
            outcome = await asyncio.wrap_future(ending)
        except asyncio.CancelledError:
            ended = context.leave_running()
            ending.add_done_callback(lambda _: ended())
            raise
        if isinstance(outcome, _Raised):
            raise outcome.error
        return outcome

    def _start(self, payload: str | None, context: JobContext) -> Future[_Outcome]:
        ending: Future[_Outcome] = Future()
        # Else the cancellation of whoever waits for it would cancel it, too.
        ending.set_running_or_notify_cancel()
        variables = copy_context()

        def work() -> None:
            ending.set_result(variables.run(self._outcome, payload, context))

        # A daemon: the process does not wait for it at its end.
        Thread(target=work, name=f"handler {context.job_type} {context.job_id}", daemon=True).start()
        return ending

    def _outcome(self, payload: str | None, context: JobContext) -> _Outcome:
        try:
            return write_result(self._definition.call(payload, context))
        except BaseException as error:  # noqa: BLE001 - whatever it is, it ends this attempt and nothing else
            return _Raised(error)
