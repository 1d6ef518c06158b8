"""Hints within one process."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from threading import Lock

from scheduler.application.errors import QueueUnavailableError
from scheduler.application.ports.event_bus import EventBus, Subscription
from scheduler.domain.events import AttemptRevoked, Event, JobChanged, JobProgressed, WorkArrived
from scheduler.domain.ids import JobId, WorkerId

_MAX_UNHEARD = 10_000
"""A listener that falls further behind loses hints, as it may."""


class MemorySubscription(Subscription):
    """What one listener hears; it belongs to the event loop in which it was opened."""

    def __init__(self, *, work: bool, worker_id: WorkerId | None) -> None:
        self._work = work
        self._worker_id = worker_id
        self._watched: set[JobId] = set()
        self._heard: asyncio.Queue[Event | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()

    async def watch_jobs(self, ids: Sequence[JobId]) -> None:
        """Hear JobChanged and JobProgressed of these jobs too."""
        self._watched.update(ids)

    async def unwatch_jobs(self, ids: Sequence[JobId]) -> None:
        """Hear of these jobs no longer."""
        self._watched.difference_update(ids)

    async def events(self) -> AsyncIterator[Event]:
        """Iterate over what is heard until the bus is cut off."""
        while (event := await self._heard.get()) is not None:
            yield event
        raise QueueUnavailableError("the event bus was cut off")

    def offer(self, events: Sequence[Event | None]) -> None:
        """Take events from any thread; None ends the subscription."""
        wanted = [event for event in events if event is None or self._wants(event)]
        if wanted and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._hear, wanted)

    def _hear(self, events: Sequence[Event | None]) -> None:
        for event in events:
            if event is None or self._heard.qsize() < _MAX_UNHEARD:
                self._heard.put_nowait(event)

    def _wants(self, event: Event) -> bool:
        match event:
            case WorkArrived():
                return self._work
            case AttemptRevoked(worker_id=worker_id):
                return worker_id == self._worker_id
            case JobChanged(job_id=job_id) | JobProgressed(job_id=job_id):
                return job_id in self._watched


class MemoryEventBus(EventBus):
    """Hands events to the subscriptions of this process, across threads and event loops."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._subscriptions: list[MemorySubscription] = []

    async def publish(self, events: Sequence[Event]) -> None:
        """Send all events to all subscriptions."""
        await asyncio.sleep(0)
        self._offer(tuple(events))

    def subscribe(
        self, *, work: bool = False, worker_id: WorkerId | None = None
    ) -> AbstractAsyncContextManager[Subscription]:
        """Open a subscription."""
        return self._subscribed(work=work, worker_id=worker_id)

    @asynccontextmanager
    async def _subscribed(self, *, work: bool, worker_id: WorkerId | None) -> AsyncGenerator[Subscription]:
        subscription = MemorySubscription(work=work, worker_id=worker_id)
        with self._lock:
            self._subscriptions.append(subscription)
        try:
            yield subscription
        finally:
            with self._lock:
                self._subscriptions.remove(subscription)

    def cut_off(self) -> None:
        """End all subscriptions, as a lost connection would."""
        self._offer((None,))

    def _offer(self, events: Sequence[Event | None]) -> None:
        with self._lock:
            listeners = tuple(self._subscriptions)
        for listener in listeners:
            listener.offer(events)
