"""The connections of a process."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Final

from psycopg_pool import AsyncConnectionPool

from scheduler.adapters.cockroach.connection import (
    RECONNECT_SECONDS,
    Isolation,
    Link,
    StoreConnection,
    StoreSettings,
    Terms,
    connect_first,
)
from scheduler.adapters.cockroach.statements import Statements
from scheduler.application.errors import StoreUnavailableError
from scheduler.application.ports.telemetry import StoreTelemetry
from scheduler.application.unobserved import UNOBSERVED

CHECKOUT_SECONDS: Final = 0.5
"""How long one attempt to get a connection takes at most while there is none: the pool tries to connect when asked."""
LIFETIME_SECONDS: Final = (5 * 60, 30 * 60)
"""Processes draw the age at which they replace connections, so that a fleet does not reconnect at once."""


class ConnectionPool:
    """Lends connections in autocommit mode, one to a statement. Belongs to the event loop that opens it."""

    def __init__(
        self, settings: StoreSettings, statements: Statements, *, telemetry: StoreTelemetry = UNOBSERVED
    ) -> None:
        self.link = Link()
        self._telemetry = telemetry
        self._settings = settings
        self._statements = statements
        self._slots = asyncio.Semaphore(settings.max_connections)
        self._pool: AsyncConnectionPool[StoreConnection] | None = None
        self._isolation = settings.isolation
        self._waiting = 0
        self._asked = 0
        self._lent = 0

    async def open(self) -> None:
        """Connect. Raises StoreUnavailableError or StoreLoginError, in one line, when the server does not let us in."""
        first = await connect_first(self._settings, self.link)
        self._isolation = _isolation_on(first, self._settings.isolation)
        await first.close()
        self._pool = self._new_pool()
        await self._pool.open()

    async def close(self) -> None:
        """Close all connections; those in use when they come back."""
        if self._pool is not None:
            await self._pool.close()

    @asynccontextmanager
    async def connection(self, seconds: float) -> AsyncIterator[StoreConnection]:
        """Lend a connection: waits for its turn as long as that takes, then at most `seconds` for the server."""
        if self._pool is None:
            raise StoreUnavailableError("the connection pool is not open")
        self._count(self._pool, asked=1)
        try:
            async with self._slots:
                connection = await self._checked_out(self._pool, min(seconds, CHECKOUT_SECONDS))
                try:
                    self._count(self._pool, lent=1)
                    yield connection
                finally:
                    await self._take_back(self._pool, connection)
        finally:
            self._count(self._pool, asked=-1)

    async def _take_back(self, pool: AsyncConnectionPool[StoreConnection], connection: StoreConnection) -> None:
        try:
            # To be cancelled here would leak the connection.
            await asyncio.shield(pool.putconn(connection))
        finally:
            self._count(pool, lent=-1)

    def _count(self, pool: AsyncConnectionPool[StoreConnection], *, asked: int = 0, lent: int = 0) -> None:
        self._asked += asked
        self._lent += lent
        self._telemetry.connections(
            in_use=self._lent,
            idle=max(0, pool.get_stats()["pool_size"] - self._lent),
            waiting=self._asked - self._lent,
            limit=self._settings.max_connections,
        )

    async def _checked_out(self, pool: AsyncConnectionPool[StoreConnection], seconds: float) -> StoreConnection:
        """Get a connection. In an outage one caller looks for the server, and the others are told at once."""
        if self._waiting and self.link.outage() > RECONNECT_SECONDS:
            raise StoreUnavailableError(self.link.failure)
        self._waiting += 1
        try:
            return await self._usable(pool, seconds)
        finally:
            self._waiting -= 1

    async def _usable(self, pool: AsyncConnectionPool[StoreConnection], seconds: float) -> StoreConnection:
        while not (connection := await pool.getconn(seconds)).is_usable():
            await asyncio.shield(pool.putconn(connection))
        self.link.is_up()
        return connection

    def _new_pool(self) -> AsyncConnectionPool[StoreConnection]:
        return AsyncConnectionPool(
            self._settings.conninfo(),
            connection_class=StoreConnection,
            kwargs={"autocommit": True, "link": self.link},
            configure=self._configure,
            min_size=self._settings.min_connections,
            max_size=self._settings.max_connections,
            max_lifetime=random.uniform(*LIFETIME_SECONDS),  # noqa: S311 - spreads load, hides nothing
            # Background attempts end soon, and who needs a connection starts the next: a long outage leaves no long
            # pause behind it, and one attempt at a time is made however many wait.
            reconnect_timeout=CHECKOUT_SECONDS,
            open=False,
        )

    async def _configure(self, connection: StoreConnection) -> None:
        seconds = self._settings.statement_timeout.total_seconds()
        terms = Terms(isolation=self._isolation, statement_timeout=f"{seconds:g}s")
        parameters = {**asdict(terms), "backend_pid": connection.backend_pid}
        cursor = await connection.execute(self._statements["configure_session"], parameters)
        [[is_own_session, *_]] = await cursor.fetchall()
        if not is_own_session:
            connection.share_sessions(terms)


def _isolation_on(connection: StoreConnection, wanted: Isolation) -> Isolation:
    if wanted is not Isolation.AUTO:
        return wanted
    return Isolation.SERIALIZABLE if connection.is_cockroach else Isolation.READ_COMMITTED
