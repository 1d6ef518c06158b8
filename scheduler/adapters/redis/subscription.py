"""What one listener hears over one connection."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError

from scheduler.adapters.redis.client import COMMAND_SECONDS
from scheduler.adapters.redis.codec import chunks
from scheduler.adapters.redis.errors import REDIS_FAULTS, translate
from scheduler.adapters.redis.keys import Keys
from scheduler.adapters.redis.messages import read_event
from scheduler.application.deadline import remaining_seconds
from scheduler.application.errors import QueueUnavailableError
from scheduler.application.ports.event_bus import Subscription
from scheduler.domain.events import Event
from scheduler.domain.ids import JobId

QUIET_SECONDS = 4.0
"""After so long a silence the server is asked for a sign of life, and after as long again it counts as gone."""
MAX_UNHEARD = 10_000
"""A listener that is further behind has lost touch: it must read the truth again."""


class RedisSubscription(Subscription):
    """Nothing is ever resubscribed behind the listener's back: a lost connection ends the subscription."""

    def __init__(self, connection: AbstractConnection, keys: Keys, quiet_seconds: float = QUIET_SECONDS) -> None:
        self._connection = connection
        self._keys = keys
        self._quiet_seconds = quiet_seconds
        self._changed = asyncio.Condition()
        self._unheard: deque[Event] = deque()
        self._asked = 0
        self._confirmed = 0
        self._pinged = False
        self._lost: QueueUnavailableError | None = None

    async def watch_jobs(self, ids: Sequence[JobId]) -> None:
        """Subscribe, and return when the server has confirmed it."""
        await self.listen([self._keys.job(job_id) for job_id in ids])

    async def unwatch_jobs(self, ids: Sequence[JobId]) -> None:
        """Unsubscribe, and return when the server has confirmed it."""
        await self._ask("UNSUBSCRIBE", [self._keys.job(job_id) for job_id in ids])

    async def events(self) -> AsyncIterator[Event]:
        """Iterate until the connection is lost."""
        while True:
            await self._until(lambda: bool(self._unheard))
            while self._unheard:
                yield self._unheard.popleft()

    async def listen(self, channels: Sequence[str]) -> None:
        """Subscribe to channels by their names."""
        await self._ask("SUBSCRIBE", channels)

    async def read(self) -> None:
        """Read until the connection is lost; runs beside the listener."""
        try:
            while True:
                await self._take(await self._next_reply())
        except QueueUnavailableError as error:
            await self._lose(error)
        except REDIS_FAULTS as error:
            await self._lose(translate(error))
        finally:
            # However it ends: whoever still listens, in another task, must not wait for ever.
            await self._lose(QueueUnavailableError("the subscription was closed"))

    async def _ask(self, command: str, channels: Sequence[str]) -> None:
        limit = min(remaining_seconds(), COMMAND_SECONDS)
        try:
            async with asyncio.timeout(limit):
                target = self._confirmed
                for chunk in chunks(channels):
                    self._asked += len(chunk)
                    target = self._asked
                    await self._send(command, *chunk)
                await self._until(lambda: self._confirmed >= target)
        except TimeoutError as error:
            raise translate(error) from error

    async def _send(self, *command: str) -> None:
        if self._lost is not None:
            raise self._lost
        try:
            await self._write(*command)
        except REDIS_FAULTS as error:
            raise await self._lose(translate(error)) from error

    async def _write(self, *command: str) -> None:
        # redis-py would connect again, without the subscriptions.
        if not self._connection.is_connected:
            raise RedisConnectionError("the connection was closed")
        await self._connection.send_command(*command, check_health=False)

    async def _until(self, is_reached: Callable[[], bool]) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: is_reached() or self._lost is not None)
        if self._lost is not None and not is_reached():
            raise self._lost

    async def _next_reply(self) -> Any:  # noqa: ANN401 - a reply
        """Return what the server says next; a server that keeps silent when pinged is gone, whatever TCP believes."""
        while True:
            reply = await self._connection.read_response(timeout=self._quiet_seconds, disconnect_on_error=False)
            if reply is not None:
                self._pinged = False
                return reply
            if self._pinged:
                raise TimeoutError("no sign of life on a subscription")
            self._pinged = True
            async with asyncio.timeout(COMMAND_SECONDS):
                await self._write("PING")

    async def _take(self, reply: Any) -> None:  # noqa: ANN401 - a reply
        match reply:
            case [b"message", bytes(channel), bytes(message)]:
                event = read_event(self._keys, channel, message)
                if event is not None:
                    await self._hear(event)
            case [b"subscribe" | b"unsubscribe", *_]:
                async with self._changed:
                    self._confirmed += 1
                    self._changed.notify_all()
            case _:
                pass

    async def _hear(self, event: Event) -> None:
        if len(self._unheard) >= MAX_UNHEARD:
            raise QueueUnavailableError(f"the listener is {MAX_UNHEARD} messages behind")
        async with self._changed:
            self._unheard.append(event)
            self._changed.notify_all()

    async def _lose(self, reason: QueueUnavailableError) -> QueueUnavailableError:
        """Tell all who wait, and return the first reason."""
        async with self._changed:
            self._lost = self._lost or reason
            self._changed.notify_all()
        return self._lost
