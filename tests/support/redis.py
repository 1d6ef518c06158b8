"""A Redis-compatible server as the shared suites see it."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from scheduler.adapters.redis.client import open_client
from scheduler.adapters.redis.event_bus import RedisEventBus
from scheduler.adapters.redis.health import RedisHealth
from scheduler.adapters.redis.job_queue import RedisJobQueue
from scheduler.adapters.redis.keys import Keys
from scheduler.adapters.redis.queue_epoch import RedisQueueEpoch
from scheduler.adapters.redis.queue_maintenance import RedisQueueMaintenance
from scheduler.adapters.redis.server import RedisServer
from scheduler.application.ports.clock import Clock
from scheduler.application.ports.randomness import Randomness
from scheduler.application.ports.telemetry import FaultTelemetry
from scheduler.domain.priority import Priority


class RealClock(Clock):
    """This machine's time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class FixedDraw(Randomness):
    """Always the shortest jitter."""

    def draw(self) -> float:
        return 0.0


@dataclass
class RecordedFaults(FaultTelemetry):
    """Remembers what it was told."""

    events: list[str] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    degradations: list[bool] = field(default_factory=list)

    def fault(self, event: str, error: BaseException, *, retry_in: timedelta | None = None) -> None:
        self.events.append(event)
        self.errors.append(error)

    def degraded(self, part: str, *, is_degraded: bool) -> None:
        self.degradations.append(is_degraded)


class RedisBackend:
    """All ports over one server, under a key prefix of its own."""

    def __init__(self, url: str, *, quiet_seconds: float = 4.0) -> None:
        self.faults = RecordedFaults()
        self.clock = RealClock()
        self.keys = Keys(f"{{test-{uuid4().hex[:12]}}}:")
        self.server = RedisServer(
            url, clock=self.clock, randomness=FixedDraw(), faults=self.faults, keys=self.keys, client_name="test"
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
