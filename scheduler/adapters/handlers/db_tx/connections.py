"""The connections to the target of one process: opened when a job needs one, kept for the next, clean each time."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import psycopg
from psycopg import IsolationLevel
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from scheduler.adapters.handlers.db_tx.outcome import TargetError, one_line
from scheduler.adapters.handlers.db_tx.target_connection import TargetConnection
from scheduler.adapters.handlers.db_tx.texts import read_sql
from scheduler.domain.errors import SchedulerError

DEFAULTS: Final[Mapping[str, int | str]] = {
    "connect_timeout": 5,  # seconds
    "tcp_user_timeout": 5000,  # ms that sent data may stay unacknowledged
    "keepalives_idle": 5,  # seconds until an idle peer is probed
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "application_name": "scheduler db_tx",
}
"""What the address itself may say otherwise."""
RESET_SECONDS: Final = 2.0
"""What a server gets to clean a session up, before the connection is given up instead."""


class TargetAddressError(SchedulerError):
    """The address of the target is not one."""


class PrivilegedRoleError(TargetError):
    """The role of the target can do what no submitter of SQL may: run programs, read and write files."""


class Connections:
    """Lends at most `size` connections at a time. Opens none before it is asked for one."""

    def __init__(self, url: str, *, size: int, any_sql: bool = False) -> None:
        """Check the address: raises TargetAddressError. For `any_sql` the role must have no rights on the server."""
        self._conninfo = conninfo_of(url)
        self._any_sql = any_sql
        self._slots = asyncio.Semaphore(size)
        self._idle: list[TargetConnection] = []
        self._closed = False

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[TargetConnection]:
        """Lend a connection whose transactions are SERIALIZABLE; what is not committed inside is rolled back.

        Waits for its turn as long as that takes. Raises TargetError when the target does not let us in, and
        PrivilegedRoleError.
        """
        async with self._slots:
            connection = self._kept() or await self._connect()
            try:
                yield connection
            except asyncio.CancelledError:
                await connection.close()
                raise
            except BaseException:
                await self._take_back(connection)
                raise
            else:
                await self._take_back(connection)

    async def close(self) -> None:
        """Close all connections; those that are lent when they come back."""
        self._closed = True
        while self._idle:
            await self._idle.pop().close()

    async def _connect(self) -> TargetConnection:
        connection = await connect(self._conninfo)
        try:
            if self._any_sql:
                await _require_plain_role(connection)
        except BaseException:
            await connection.close()
            raise
        return connection

    def _kept(self) -> TargetConnection | None:
        while self._idle:
            connection = self._idle.pop()
            if _is_usable(connection):
                return connection
        return None

    async def _take_back(self, connection: TargetConnection) -> None:
        try:
            async with asyncio.timeout(RESET_SECONDS):
                await _reset(connection)
        except (psycopg.Error, TimeoutError):
            await connection.close()
        except BaseException:
            await connection.close()
            raise
        if self._closed:
            await connection.close()
        if not connection.closed:
            self._idle.append(connection)


def conninfo_of(url: str) -> str:
    """Return the address with our defaults. Raises TargetAddressError."""
    try:
        return make_conninfo("", **{**DEFAULTS, **conninfo_to_dict(url), "client_encoding": "UTF8"})
    except psycopg.Error:
        # The driver quotes what it could not read, which may be the password: not even as the cause.
        raise TargetAddressError("must be a URL that libpq reads, postgresql://user@host/database?…") from None


async def connect(conninfo: str) -> TargetConnection:
    """Connect. Raises TargetError."""
    try:
        connection = await TargetConnection.connect(conninfo, prepare_threshold=None)
    except psycopg.Error as error:
        raise TargetError(f"no connection to the target database: {one_line(error)}") from error
    await connection.set_isolation_level(IsolationLevel.SERIALIZABLE)
    # Whatever the role's own settings say: `ALTER ROLE … SET default_transaction_read_only` stops no job.
    await connection.set_read_only(False)
    return connection


async def _require_plain_role(connection: TargetConnection) -> None:
    try:
        cursor = await connection.execute(read_sql("privileges"))
        row = await cursor.fetchone()
        await connection.rollback()
    except psycopg.Error as error:
        raise TargetError(f"the rights of the target's role are unknown: {one_line(error)}") from error
    if row is not None:
        raise PrivilegedRoleError(
            f"DB_TX_ALLOW_ANY_SQL: must not be set where the role of DB_TX_DATABASE_URL has the rights of {row[0]}"
        )


async def _reset(connection: TargetConnection) -> None:
    """Leave nothing of this job to the next: settings, roles, temporary tables, locks of the session."""
    await connection.rollback()
    await connection.set_autocommit(True)
    await connection.execute("DISCARD ALL")
    await connection.set_autocommit(False)


def _is_usable(connection: TargetConnection) -> bool:
    """Tell whether the server has left the connection open, from what has arrived: no round trip."""
    try:
        connection.pgconn.consume_input()  # its last words, if any
        connection.pgconn.consume_input()  # the end behind them
    except psycopg.Error:
        connection.pgconn.finish()
        return False
    return not connection.closed
