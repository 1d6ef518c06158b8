"""Hints between processes: they may be lost, repeated and late, and carry no truth."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from scheduler.domain.events import Event
from scheduler.domain.ids import JobId, WorkerId


class Subscription(Protocol):
    """What one listener hears, from the moment it was opened."""

    @abstractmethod
    async def watch_jobs(self, ids: Sequence[JobId]) -> None:
        """Hear JobChanged and JobProgressed of these jobs too."""

    @abstractmethod
    async def unwatch_jobs(self, ids: Sequence[JobId]) -> None:
        """Hear of these jobs no longer."""

    @abstractmethod
    def events(self) -> AsyncIterator[Event]:
        """Iterate over what is heard; raises QueueUnavailableError when the connection is gone."""


class EventBus(Protocol):
    """Publishes and subscribes. Raises QueueUnavailableError."""

    @abstractmethod
    async def publish(self, events: Sequence[Event]) -> None:
        """Send all events, in one call to the server."""

    @abstractmethod
    def subscribe(
        self, *, work: bool = False, worker_id: WorkerId | None = None
    ) -> AbstractAsyncContextManager[Subscription]:
        """Open a subscription: to WorkArrived if `work`, to AttemptRevoked of `worker_id`, later to watched jobs."""
