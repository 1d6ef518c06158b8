"""A Redis-compatible server as the shared suites see it."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import uuid4

from scheduler.adapters.memory.fixed_randomness import FixedRandomness
from scheduler.adapters.memory.recording_telemetry import RecordingTelemetry
from scheduler.adapters.redis.client import open_client
from scheduler.adapters.redis.event_bus import RedisEventBus
from scheduler.adapters.redis.health import RedisHealth
from scheduler.adapters.redis.job_queue import RedisJobQueue
from scheduler.adapters.redis.keys import Keys
from scheduler.adapters.redis.queue_epoch import RedisQueueEpoch
from scheduler.adapters.redis.queue_maintenance import RedisQueueMaintenance
from scheduler.adapters.redis.server import RedisServer
from scheduler.adapters.system.clock import SystemClock
from scheduler.domain.priority import Priority


class RedisBackend:
    """All ports over one server, under a key prefix of its own."""

    def __init__(self, url: str, *, quiet_seconds: float = 4.0, keys: Keys | None = None) -> None:
        self.telemetry = RecordingTelemetry()
        self.clock = SystemClock()
        self.keys = keys or Keys(f"{{test-{uuid4().hex[:12]}}}:")
        self.server = RedisServer(
            url,
            clock=self.clock,
            randomness=FixedRandomness(),
            faults=self.telemetry,
            keys=self.keys,
            client_name="test",
        )
        self.raw = open_client(url, client_name="test")
        self.queue = RedisJobQueue(self.server)
        self.maintenance = RedisQueueMaintenance(self.server)
        self.epoch = RedisQueueEpoch(self.server)
        self.bus = RedisEventBus(self.server, quiet_seconds=quiet_seconds)
        self.health = RedisHealth(self.server, self.clock)

    async def open(self) -> None:
        """Fail here rather than in the first test."""
        await self.server.try_writing()

    async def close(self) -> None:
        await self.raw.aclose()
        await self.server.aclose()

    async def reset(self) -> None:
        """Forget everything under the prefix."""
        await self.raw.delete(*self.keys.queues, self.keys.processing, self.keys.epoch)

    async def put_junk(self) -> None:
        """Put members that are no ids into a queue (oldest of all) and into what is handed out (overdue)."""
        for key in (self.keys.queue(Priority.DEFAULT), self.keys.processing):
            await self.raw.zadd(key, {"no-uuid": 1, "DEADBEEF-0000-0000-0000-000000000000": 2})

    async def put_wrong_type(self) -> None:
        """Replace every key by one of another type."""
        for key in (*self.keys.queues, self.keys.processing):
            await self.raw.set(key, "a string")

    async def lose_data(self) -> None:
        """Lose everything, as an operator's FLUSHALL does."""
        await self.raw.flushall()


def run_on(url: str, scenario: Callable[[RedisBackend], Awaitable[None]], *, quiet_seconds: float = 4.0) -> None:
    """Run a scenario on a backend of its own, and leave nothing behind."""

    async def run() -> None:
        backend = RedisBackend(url, quiet_seconds=quiet_seconds)
        try:
            await scenario(backend)
        finally:
            await backend.close()

    asyncio.run(run())


async def eventually(condition: Callable[[], Awaitable[bool]], seconds: float = 30.0) -> None:
    """Wait until the condition holds; fail when it does not in time."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - the condition is in the server: nothing here could signal it
            await asyncio.sleep(0.02)
