"""What the tests of the SQL adapter share: side connections, and statements that are observed."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from scheduler.adapters.cockroach import Transactions
from scheduler.domain.job import Job
from tests.support.builders import a_new_job
from tests.support.sql import SqlBackend

DEADLINE_SECONDS: Final = 20.0
BLOCKED = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


class Draws:
    """Counts how often a statement was repeated: each pause draws once."""

    def __init__(self) -> None:
        self.count = 0
        self.first = asyncio.Event()

    def __call__(self) -> float:
        self.count += 1
        self.first.set()
        return 0.5


def observed(backend: SqlBackend, draws: Draws) -> Transactions:
    """Return another way to the same pool, whose repetitions are counted."""
    return Transactions(backend.pool, backend.statements, draw=draws)


@asynccontextmanager
async def bystander(url: str) -> AsyncIterator[AsyncConnection[TupleRow]]:
    """Open a connection beside the pool, in autocommit mode."""
    connection = await AsyncConnection.connect(url, autocommit=True)
    async with connection:
        yield connection


@asynccontextmanager
async def row_lock(url: str, job: Job) -> AsyncIterator[AsyncConnection[TupleRow]]:
    """Keep a job's row locked, by an update that changes nothing that matters; commit at the end of the block."""
    async with bystander(url) as connection, connection.transaction():
        await connection.execute("UPDATE jobs SET updated_at = updated_at WHERE id = %s", (job.id,))
        yield connection


async def blocked_backend(url: str) -> int:
    """Wait until a statement waits for a lock; return its backend's pid."""
    async with bystander(url) as connection:
        return int((await _first_row(connection, BLOCKED))[0])


async def _first_row(connection: AsyncConnection[TupleRow], query: str) -> TupleRow:
    give_up = time.monotonic() + DEADLINE_SECONDS
    while (row := await (await connection.execute(query.encode())).fetchone()) is None:
        assert time.monotonic() < give_up, f"no row ever: {query}"
        await asyncio.sleep(0.01)
    return row


def scalar(url: str, query: str, *parameters: object) -> object:
    """Read one value past the adapters."""
    with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
        row = connection.execute(query.encode(), parameters).fetchone()
    assert row is not None
    return row[0]


async def added(backend: SqlBackend, *jobs: Job) -> None:
    await backend.repository.add_all([a_new_job(job) for job in jobs])
