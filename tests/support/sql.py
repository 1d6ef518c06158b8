"""Databases for tests, and the SQL adapters over them."""

from datetime import timedelta
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
from psycopg import sql

from scheduler.adapters.cockroach import (
    ConnectionPool,
    Isolation,
    Migrator,
    SqlEndedJobs,
    SqlJobReader,
    SqlJobRepository,
    SqlJobSweeper,
    SqlStoreTime,
    SqlWorkerRegistry,
    Statements,
    StoreSettings,
    Transactions,
)
from scheduler.adapters.memory.recording_telemetry import RecordingTelemetry
from tests.support.backends import SMALL_CAP, SMALL_KINDS, SMALL_SCAN

TABLES = ("job_labels", "job_attempts", "jobs", "workers")


def create_database(server_url: str) -> str:
    """Create an empty database with a name of its own on the server; return its URL."""
    name = f"test_{uuid4().hex}"
    execute(server_url, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return urlsplit(server_url)._replace(path=f"/{name}").geturl()


def execute(url: str, *statements: str | sql.Composed) -> None:
    """Run statements on a connection of their own, each in a transaction of its own."""
    with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
        for statement in statements:
            connection.execute(sql.SQL(statement) if isinstance(statement, str) else statement)


class SqlBackend:
    """The SQL adapters over one database, with its schema. Belongs to the event loop that opens it."""

    def __init__(
        self,
        url: str,
        *,
        isolation: Isolation | str = Isolation.AUTO,
        max_connections: int = 10,
        statement_timeout: timedelta = timedelta(seconds=5),
    ) -> None:
        self.url = url
        self.telemetry = RecordingTelemetry()
        self.settings = StoreSettings(
            url=url,
            isolation=Isolation(isolation),
            max_connections=max_connections,
            statement_timeout=statement_timeout,
        )
        self.statements = Statements()
        self.pool = ConnectionPool(self.settings, self.statements)
        self.transactions = Transactions(self.pool, self.statements)
        self.repository = SqlJobRepository(self.transactions, self.telemetry)
        self.reader = SqlJobReader(self.transactions, self.telemetry)
        self.ended_jobs = SqlEndedJobs(self.transactions, scan=SMALL_SCAN, kinds=SMALL_KINDS, count_cap=SMALL_CAP)
        self.sweeper = SqlJobSweeper(self.transactions, self.telemetry)
        self.registry = SqlWorkerRegistry(self.transactions)
        self.store_time = SqlStoreTime(self.transactions)

    async def open(self) -> Self:
        """Bring the schema up to date and connect."""
        await Migrator(self.settings).migrate()
        await self.pool.open()
        return self

    async def close(self) -> None:
        await self.pool.close()

    async def reset(self) -> None:
        """Delete every row, which is faster than TRUNCATE while there are few."""
        await self.execute(*(f"DELETE FROM {table}" for table in TABLES))

    async def execute(self, *statements: str) -> None:
        """Run statements past the adapters."""
        async with self.pool.connection(5.0) as connection:
            for statement in statements:
                await connection.execute(statement.encode())

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
