"""Hints between processes over a network that delays, loses and repeats them."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from random import Random

from scheduler.adapters.memory.event_bus import MemorySubscription
from scheduler.application.ports.event_bus import EventBus, Subscription
from scheduler.domain.events import Event
from scheduler.domain.ids import JobId, WorkerId
from tests.simulation.loop import SimulationLoop
from tests.simulation.network import Call, Link
from tests.simulation.remote import QueueCaller


class HintServer(EventBus):
    """The server's side: who listens, and what becomes of a hint on its way."""

    def __init__(self, loop: SimulationLoop, rng: Random) -> None:
        self.lost = 0.0
        self._loop = loop
        self._rng = rng
        self._listeners: list[tuple[Link, MemorySubscription]] = []

    async def publish(self, events: Sequence[Event]) -> None:
        for link, listener in self._listeners:
            if not link.cut and self._rng.random() >= self.lost:
                delay = 0.001 + 0.02 * self._rng.random() ** 4 + link.slow * self._rng.random()
                self._loop.call_later(delay, listener.offer, tuple(events), context=link.server.lane.context)

    def subscribe(
        self, *, work: bool = False, worker_id: WorkerId | None = None
    ) -> AbstractAsyncContextManager[Subscription]:
        raise RuntimeError("processes subscribe through a bus of their own")

    async def connect(self, link: Link, listener: MemorySubscription) -> None:
        self._listeners.append((link, listener))

    def disconnect(self, listener: MemorySubscription) -> None:
        self._listeners = [pair for pair in self._listeners if pair[1] is not listener]

    def cut_off(self, only: Link | None = None) -> None:
        """End the subscriptions that came over one link, or all, as a lost connection would."""
        for link, listener in self._listeners:
            if only is None or link is only:
                self._loop.call_later(0.001, listener.offer, (None,), context=link.server.lane.context)
        self._listeners = [] if only is None else [pair for pair in self._listeners if pair[0] is not only]


class RemoteBus(EventBus):
    """One process's way to the hints."""

    def __init__(self, server: HintServer, link: Link, caller: QueueCaller) -> None:
        self._server = server
        self._link = link
        self._caller = caller

    async def publish(self, events: Sequence[Event]) -> None:
        await self._caller(Call("bus.publish", self._server.publish, (events,)))

    def subscribe(
        self, *, work: bool = False, worker_id: WorkerId | None = None
    ) -> AbstractAsyncContextManager[Subscription]:
        return self._subscribed(MemorySubscription(work=work, worker_id=worker_id))

    @asynccontextmanager
    async def _subscribed(self, listener: MemorySubscription) -> AsyncGenerator[Subscription]:
        try:
            await self._caller(Call("bus.subscribe", self._server.connect, (self._link, listener)))
            yield _RemoteSubscription(listener, self._caller)
        finally:
            self._server.disconnect(listener)


class _RemoteSubscription(Subscription):
    def __init__(self, listener: MemorySubscription, caller: QueueCaller) -> None:
        self._listener = listener
        self._caller = caller

    async def watch_jobs(self, ids: Sequence[JobId]) -> None:
        await self._caller(Call("bus.watch_jobs", self._listener.watch_jobs, (ids,)))

    async def unwatch_jobs(self, ids: Sequence[JobId]) -> None:
        await self._caller(Call("bus.unwatch_jobs", self._listener.unwatch_jobs, (ids,)))

    def events(self) -> AsyncIterator[Event]:
        return self._listener.events()
