"""What must be opened before a process works and closed after it: connections, in order."""

import asyncio
import time
from abc import abstractmethod
from datetime import timedelta
from typing import Protocol

from scheduler.adapters.cockroach import ConnectionPool, StoreLoginError, Transactions, require_schema
from scheduler.adapters.redis.server import RedisServer
from scheduler.application.errors import StoreUnavailableError
from scheduler.application.loops import spread
from scheduler.application.ports.randomness import Randomness
from scheduler.application.ports.telemetry import FaultTelemetry
from scheduler.application.ports.worker_registry import WorkerRegistry
from scheduler.domain.errors import SchedulerError

RETRY_SECONDS = 0.5


class Resources(Protocol):
    """The connections of a process."""

    @abstractmethod
    async def open(self) -> None:
        """Connect, or raise a SchedulerError that says in one line what an operator must do."""

    @abstractmethod
    async def close(self) -> None:
        """Disconnect."""


class ServerResources(Resources):
    """SQL must be there within `patience` seconds, and migrated; Redis may be away."""

    def __init__(
        self,
        *,
        pool: ConnectionPool,
        transactions: Transactions,
        redis: RedisServer,
        patience: float,
        faults: FaultTelemetry,
        randomness: Randomness,
    ) -> None:
        self._pool = pool
        self._transactions = transactions
        self._redis = redis
        self._patience = patience
        self._faults = faults
        self._randomness = randomness

    async def open(self) -> None:
        """Open the pool and refuse a schema that is behind."""
        give_up = time.monotonic() + self._patience
        while not await self._is_open(give_up):
            pass
        try:
            await require_schema(self._transactions)
        except SchedulerError:
            await self.close()
            raise

    async def _is_open(self, give_up: float) -> bool:
        """Open the pool; return False, after a pause, when SQL did not answer and there is time left."""
        try:
            await self._pool.open()
        except StoreLoginError:
            raise
        except StoreUnavailableError as error:
            if time.monotonic() >= give_up:
                raise
            pause = spread(RETRY_SECONDS, self._randomness.draw())
            self._faults.fault("store_awaited", error, retry_in=timedelta(seconds=pause))
            await asyncio.sleep(pause)
            return False
        return True

    async def close(self) -> None:
        """Close both."""
        await self._redis.aclose()
        await self._pool.close()


class NoResources(Resources):
    """Memory needs nothing."""

    async def open(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""


class LeaseConnection:
    """The lease thread's own way to the registry. Used on that thread's event loop alone."""

    def __init__(self, registry: WorkerRegistry, pool: ConnectionPool | None = None) -> None:
        self.registry = registry
        self._pool = pool

    async def open(self) -> None:
        """Connect."""
        if self._pool is not None:
            await self._pool.open()

    async def close(self) -> None:
        """Disconnect."""
        if self._pool is not None:
            await self._pool.close()
