"""The attempts that run in this process."""

import asyncio
import threading
from collections.abc import Iterator
from enum import StrEnum

from scheduler.application.dto import StartedJob
from scheduler.domain.ids import AttemptId


class StopReason(StrEnum):
    """Why a running attempt is stopped."""

    REVOKED = "REVOKED"
    """The job is no longer this attempt's: there is nothing to record."""
    RELEASED = "RELEASED"
    """The worker gives the job back."""


class RunningAttempt:
    """One handler at work. It can be stopped only while the handler runs, not while its result is recorded."""

    def __init__(self, started: StartedJob, *, overdue_at: float) -> None:
        self.started = started
        self.overdue_at = overdue_at
        """On the monotonic clock: an attempt that has not ended by then cannot be stopped."""
        self.cancellation = threading.Event()
        self.stop_reason: StopReason | None = None
        self._handler_task: asyncio.Task[None] | None = None
        self._ended = False

    def begin(self, task: asyncio.Task[None]) -> bool:
        """Note the task in which the handler runs from now on; False when it must not begin, being stopped already."""
        if self.stop_reason is None:
            self._handler_task = task
        return self.stop_reason is None

    def handler_ended(self) -> None:
        """Note that only the recording is left."""
        self._handler_task = None
        self._ended = True

    @property
    def handler_runs(self) -> bool:
        """Tell whether the handler has not returned."""
        return self._handler_task is not None

    def stop(self, reason: StopReason) -> None:
        """Cancel the handler, once, or keep it from beginning."""
        if self._ended or self.stop_reason is not None:
            return
        self.stop_reason = reason
        self.cancellation.set()
        if self._handler_task is not None:
            self._handler_task.cancel()


class AttemptTable:
    """The slots of this worker. Changed by the event loop alone; `ids` and `overdue` may be asked from any thread."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.changed = asyncio.Event()
        """Set whenever a slot became free."""
        self._running: dict[AttemptId, RunningAttempt] = {}

    def __len__(self) -> int:
        """Return the number of slots in use."""
        return len(self._running)

    def __contains__(self, attempt_id: AttemptId) -> bool:
        """Tell whether the attempt holds a slot."""
        return attempt_id in self._running

    def ids(self) -> frozenset[AttemptId]:
        """Return the attempts that hold a slot; safe from any thread."""
        return frozenset(self._running.copy())

    def __iter__(self) -> Iterator[RunningAttempt]:
        """Iterate over a copy, so that attempts may end meanwhile."""
        return iter(tuple(self._running.values()))

    @property
    def free(self) -> int:
        """Return the number of free slots."""
        return self.slots - len(self._running)

    def add(self, attempt: RunningAttempt) -> None:
        """Take a slot."""
        self._running[attempt.started.attempt_id] = attempt

    def remove(self, attempt: RunningAttempt) -> None:
        """Free the slot."""
        self._running.pop(attempt.started.attempt_id, None)
        self.changed.set()

    def stop(self, attempt_id: AttemptId, reason: StopReason) -> None:
        """Stop one attempt, if it runs here."""
        attempt = self._running.get(attempt_id)
        if attempt is not None:
            attempt.stop(reason)

    def stop_all(self, reason: StopReason) -> None:
        """Stop every handler."""
        for attempt in self:
            attempt.stop(reason)

    def overdue(self, monotonic: float) -> list[AttemptId]:
        """Return the attempts whose handlers should have ended by now, and have not."""
        running = self._running.copy().items()
        return [key for key, attempt in running if attempt.handler_runs and attempt.overdue_at < monotonic]
