"""The priority queues: fast, disposable, and never the truth."""

from abc import abstractmethod
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from scheduler.application.dto import QueueEntry
from scheduler.domain.ids import JobId
from scheduler.domain.priority import ClaimPlan


class JobQueue(Protocol):
    """Hands out queued jobs in two stages: claimed ids wait in `processing` until acked, given back or overdue.

    Raises QueueUnavailableError, after which the command may or may not have had its effect.
    """

    @abstractmethod
    async def enqueue_all(self, entries: Sequence[QueueEntry]) -> None:
        """Put entries in their queues unless they are there, and wake idle workers once. Repeats are harmless."""

    @abstractmethod
    async def remove_all(self, ids: Sequence[JobId]) -> None:
        """Take the ids out of every queue and out of `processing`."""

    @abstractmethod
    async def claim(self, plan: ClaimPlan, hand_out: timedelta) -> Sequence[QueueEntry]:
        """Move what the plan asks for to `processing`, overdue after `hand_out` (the queue's clock), oldest first."""

    @abstractmethod
    async def ack(self, ids: Sequence[JobId]) -> None:
        """Forget handed-out ids: they run now, or need no running."""

    @abstractmethod
    async def give_back(self, entries: Sequence[QueueEntry]) -> None:
        """Return handed-out entries to their places and wake idle workers once."""
