"""One attempt that runs in this process."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum

from scheduler.application.dto import StartedJob
from scheduler.application.outcomes import Released, Success
from scheduler.domain.retry import Failure, FailureKind

Outcome = Success | Failure | Released


class StopReason(StrEnum):
    """Why a running attempt is stopped."""

    REVOKED = "REVOKED"
    """The job is no longer this attempt's: there is nothing to record."""
    RELEASED = "RELEASED"
    """The worker gives the job back, once its handler has ended."""


class RunningAttempt:
    """One attempt. Its outcome is decided once: by its handler, by its time limit, or by a stop.

    Whatever its handler does after that is ignored. Lives on the event loop; `handler_runs` may be asked from any
    thread.
    """

    def __init__(self, started: StartedJob, *, overdue_at: float) -> None:
        self.started = started
        self.overdue_at = overdue_at
        """On the monotonic clock: an attempt that is not over by then blocks the event loop."""
        self.cancellation = threading.Event()
        self.stop_reason: StopReason | None = None
        self._loop = asyncio.get_running_loop()
        self.outcome: asyncio.Future[Outcome | None] = self._loop.create_future()
        """What to record; None when the job is no longer ours."""
        self.when_handler_ends: Callable[[], None] = _nothing
        self._handler: asyncio.Task[Success | Failure] | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._left_running: set[object] = set()

    def begin(self, handler: asyncio.Task[Success | Failure]) -> None:
        """Watch over the task in which the handler runs."""
        self._handler = handler
        self._limit = self._loop.call_later(self.started.job.timeout.total_seconds(), self._run_out_of_time)
        handler.add_done_callback(self._check_handler)

    @property
    def handler_runs(self) -> bool:
        """Tell whether the handler has not ended, or has left something running."""
        return self._handler is not None and (not self._handler.done() or bool(self._left_running))

    def leave_running(self) -> Callable[[], None]:
        """Note that a thread or process runs on after the handler's task; see JobContext."""
        mark = object()
        self._left_running.add(mark)

        def ended() -> None:
            # A loop that is over has nothing to wait for.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._has_ended, mark)

        return ended

    def stop(self, reason: StopReason) -> None:
        """Tell the handler to end. A job that is no longer ours needs no answer; one to be given back waits for it."""
        if self.outcome.done() or self.stop_reason is not None:
            return
        self.stop_reason = reason
        if reason is StopReason.REVOKED:
            self._decide(None)
        self.tell_handler()

    def give_up(self) -> None:
        """Give the job back although its handler runs on."""
        if self.handler_runs:
            self._decide(Released())

    def tell_handler(self) -> None:
        """Tell the handler to end, once."""
        if not self.cancellation.is_set():
            self.cancellation.set()
            self.cancel_handler()

    def cancel_handler(self) -> None:
        """Cancel the handler's task, perhaps once more: it may have swallowed the first time."""
        if self._handler is not None:
            self._handler.cancel()

    def _run_out_of_time(self) -> None:
        seconds = self.started.job.timeout.total_seconds()
        failure = Failure(kind=FailureKind.TIMEOUT, error=f"ran longer than its timeout of {seconds:g} s")
        self._decide(failure if self.stop_reason is None else Released())
        self.tell_handler()

    def _has_ended(self, mark: object) -> None:
        self._left_running.discard(mark)
        if self._handler is not None:
            self._check_handler(self._handler)

    def _check_handler(self, handler: asyncio.Task[Success | Failure]) -> None:
        if self.handler_runs:
            return
        if not self.outcome.done():
            self._take_outcome_of(handler)
        self.when_handler_ends()

    def _take_outcome_of(self, handler: asyncio.Task[Success | Failure]) -> None:
        if handler.cancelled():
            self._decide(_of_cancelled(self.stop_reason))
        elif (error := handler.exception()) is not None:
            self.outcome.set_exception(error)
        else:
            self._decide(self._unless_stopped(handler.result()))

    def _unless_stopped(self, result: Success | Failure) -> Outcome:
        """Keep a success, but not what a handler makes of being stopped: the attempt is given back, not failed."""
        is_released = self.stop_reason is StopReason.RELEASED and isinstance(result, Failure)
        return Released() if is_released else result

    def _decide(self, outcome: Outcome | None) -> None:
        if self._limit is not None:
            self._limit.cancel()
        if not self.outcome.done():
            self.outcome.set_result(outcome)


def _nothing() -> None:
    """Nobody waits for the handler's end."""


def _of_cancelled(reason: StopReason | None) -> Outcome:
    if reason is None:
        return Failure(kind=FailureKind.ERROR, error="CancelledError: the handler cancelled itself")
    return Released()
