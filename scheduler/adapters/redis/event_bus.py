"""Hints between processes over Redis pub/sub."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from redis.asyncio.connection import AbstractConnection

from scheduler.adapters.redis.codec import chunks
from scheduler.adapters.redis.errors import REDIS_FAULTS
from scheduler.adapters.redis.messages import write_event
from scheduler.adapters.redis.scripts import Script
from scheduler.adapters.redis.server import RedisServer
from scheduler.adapters.redis.subscription import QUIET_SECONDS, RedisSubscription
from scheduler.application.ports.event_bus import EventBus, Subscription
from scheduler.domain.events import Event
from scheduler.domain.ids import WorkerId


class RedisEventBus(EventBus):
    """One script publishes a batch; each subscription has a connection of its own."""

    def __init__(self, server: RedisServer, *, quiet_seconds: float = QUIET_SECONDS) -> None:
        self._server = server
        self._keys = server.keys
        self._quiet_seconds = quiet_seconds
        self._publish = Script.load("publish")

    async def publish(self, events: Sequence[Event]) -> None:
        """Send up to 1,000 events in a call."""
        for chunk in chunks(events):
            args = [text for event in chunk for text in write_event(self._keys, event)]
            await self._server.run(self._publish, (), args)

    @asynccontextmanager
    async def subscribe(self, *, work: bool = False, worker_id: WorkerId | None = None) -> AsyncIterator[Subscription]:
        """Connect and subscribe; the body runs when the server has confirmed that."""
        connection = await self._server.connect()
        subscription = RedisSubscription(connection, self._keys, self._quiet_seconds)
        reader = asyncio.create_task(subscription.read())
        try:
            await subscription.listen(self._channels(work=work, worker_id=worker_id))
            yield subscription
        finally:
            await _close(connection, reader)

    def _channels(self, *, work: bool, worker_id: WorkerId | None) -> Sequence[str]:
        channels = [self._keys.wake] if work else []
        return channels if worker_id is None else [*channels, self._keys.worker(worker_id)]


async def _close(connection: AbstractConnection, reader: "asyncio.Task[None]") -> None:
    reader.cancel()
    try:
        await asyncio.wait([reader])
    finally:
        # Closes the socket before its first await, hence under cancellation too.
        with suppress(*REDIS_FAULTS):
            await connection.disconnect()
