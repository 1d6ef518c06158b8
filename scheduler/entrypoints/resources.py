"""What must be opened before a process works and closed after it: connections, in order."""

from abc import abstractmethod
from typing import Protocol

from scheduler.adapters.cockroach import ConnectionPool, Transactions, require_schema
from scheduler.adapters.redis.server import RedisServer
from scheduler.application.ports.worker_registry import WorkerRegistry
from scheduler.domain.errors import SchedulerError


class Resources(Protocol):
    """The connections of a process."""

    @abstractmethod
    async def open(self) -> None:
        """Connect, or raise a SchedulerError that says in one line what an operator must do."""

    @abstractmethod
    async def close(self) -> None:
        """Disconnect."""


class ServerResources(Resources):
    """SQL must be there and migrated; Redis may be away."""

    def __init__(self, *, pool: ConnectionPool, transactions: Transactions, redis: RedisServer) -> None:
        self._pool = pool
        self._transactions = transactions
        self._redis = redis

    async def open(self) -> None:
        """Open the pool and refuse a schema that is behind."""
        await self._pool.open()
        try:
            await require_schema(self._transactions)
        except SchedulerError:
            await self.close()
            raise

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
