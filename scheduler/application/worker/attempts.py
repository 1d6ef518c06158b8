"""The attempts that run in this process."""

import asyncio
from collections.abc import Iterator

from scheduler.application.worker.attempt import RunningAttempt, StopReason
from scheduler.application.worker.stragglers import Stragglers
from scheduler.domain.ids import AttemptId

MAX_EARLY_REVOCATIONS = 1000


class AttemptTable:
    """The slots of this worker. Changed by the event loop alone; `ids` and `overdue` may be asked from any thread."""

    def __init__(self, slots: int, stragglers: Stragglers) -> None:
        self.slots = slots
        self.changed = asyncio.Event()
        """Set whenever a slot became free."""
        self._running: dict[AttemptId, RunningAttempt] = {}
        self._stragglers = stragglers
        self._revoked_early: dict[AttemptId, None] = {}

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
        """Return how many jobs may be started: never are more handlers alive than twice the slots."""
        return max(0, self.slots - len(self._running) - max(0, len(self._stragglers) - self.slots))

    def add(self, attempt: RunningAttempt) -> None:
        """Take a slot; the attempt is stopped already when its revocation came first."""
        attempt_id = attempt.started.attempt_id
        self._running[attempt_id] = attempt
        if attempt_id in self._revoked_early:
            del self._revoked_early[attempt_id]
            attempt.stop(StopReason.REVOKED)

    def remove(self, attempt: RunningAttempt) -> None:
        """Free the slot, whether or not the handler has ended."""
        attempt_id = attempt.started.attempt_id
        if self._running.get(attempt_id) is attempt:
            del self._running[attempt_id]
        self.changed.set()

    def stop(self, attempt_id: AttemptId, reason: StopReason) -> None:
        """Stop one attempt. A revocation may come before the attempt: it is kept in mind."""
        attempt = self._running.get(attempt_id)
        if attempt is not None:
            attempt.stop(reason)
        elif reason is StopReason.REVOKED:
            self._revoked_early[attempt_id] = None
            if len(self._revoked_early) > MAX_EARLY_REVOCATIONS:
                del self._revoked_early[next(iter(self._revoked_early))]

    def stop_all(self, reason: StopReason) -> None:
        """Stop every handler."""
        for attempt in self:
            attempt.stop(reason)

    def overdue(self, monotonic: float) -> list[AttemptId]:
        """Return the attempts that should have been decided by now: the event loop does not get to it."""
        running = self._running.copy().items()
        return [key for key, attempt in running if attempt.overdue_at < monotonic and not attempt.outcome.done()]
