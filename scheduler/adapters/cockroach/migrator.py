"""The schema: numbered statements, each run once, in order, and safe to run again."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Final

import psycopg

from scheduler.adapters.cockroach.connection import StoreSettings
from scheduler.adapters.cockroach.errors import MigrationChangedError
from scheduler.adapters.cockroach.pool import ConnectionPool
from scheduler.adapters.cockroach.statements import Statements, read_sql
from scheduler.adapters.cockroach.transaction import Transactions
from scheduler.application.deadline import time_limit
from scheduler.application.errors import SchemaNotMigratedError
from scheduler.domain.errors import SchedulerError

STATEMENT_TIMEOUT: Final = timedelta(hours=6)
"""An index over many millions of rows takes its time."""
RACES: Final = 10
"""How often a statement is repeated because another process ran the same one at the same moment."""
LOST_RACES: Final = frozenset({"23505", "42P07", "42710", "42701", "XX000"})
"""What PostgreSQL says to the second of two concurrent CREATE ... IF NOT EXISTS."""


class Migrator:
    """Brings the schema up to date, on a connection of its own. Any number of processes may do so at once."""

    def __init__(self, settings: StoreSettings, migrations: Mapping[str, str] | None = None) -> None:
        """Take the migrations of this package unless others are given, as texts by name."""
        self._settings = replace(settings, min_connections=1, max_connections=1, statement_timeout=STATEMENT_TIMEOUT)
        self._statements = Statements()
        self._migrations = dict(sorted((read_sql("migrations") if migrations is None else migrations).items()))

    async def migrate(self) -> Sequence[str]:
        """Run what has not run; return the names of what this call has recorded as run.

        Raises MigrationChangedError, before anything runs, when the text of a migration that has run was changed.
        """
        async with self._connected() as transactions:
            await _repeat_lost_races(transactions, self._statements["create_schema_migrations"])
            missing = await missing_migrations(transactions, self._migrations)
            return [name for name in missing if await self._run(transactions, name)]

    async def pending(self) -> Sequence[str]:
        """Return the names of what has not run. Raises MigrationChangedError."""
        async with self._connected() as transactions:
            return await missing_migrations(transactions, self._migrations)

    async def _run(self, transactions: Transactions, name: str) -> bool:
        text = self._migrations[name]
        await _repeat_lost_races(transactions, text.encode())
        return bool(await transactions.run("note_migration", name=name, checksum=_checksum(text)))

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Transactions]:
        pool = ConnectionPool(self._settings, self._statements)
        with time_limit(STATEMENT_TIMEOUT.total_seconds()):
            await pool.open()
            try:
                yield Transactions(pool, self._statements)
            finally:
                await pool.close()


async def missing_migrations(transactions: Transactions, migrations: Mapping[str, str]) -> Sequence[str]:
    """Return the names that the schema lacks. Raises MigrationChangedError."""
    applied = await _applied(transactions)
    for name, text in migrations.items():
        if applied.get(name, _checksum(text)) != _checksum(text):
            raise MigrationChangedError(name)
    return [name for name in migrations if name not in applied]


async def require_schema(transactions: Transactions) -> None:
    """Raise SchemaNotMigratedError when the schema is older than this program; a newer one is fine."""
    missing = await missing_migrations(transactions, read_sql("migrations"))
    if missing:
        raise SchemaNotMigratedError(missing)


async def _applied(transactions: Transactions) -> Mapping[str, str]:
    try:
        rows = await transactions.run("read_migrations")
    except SchemaNotMigratedError:
        return {}
    return dict(rows)


async def _repeat_lost_races(transactions: Transactions, statement: bytes) -> None:
    for race in range(RACES):
        try:
            await transactions.execute(statement)
        except SchedulerError as error:
            if race == RACES - 1 or not _lost_race(error):
                raise
        else:
            return


def _lost_race(error: SchedulerError) -> bool:
    cause = error.__cause__
    return isinstance(cause, psycopg.Error) and cause.sqlstate in LOST_RACES


def _checksum(text: str) -> str:
    return sha256(text.encode()).hexdigest()
