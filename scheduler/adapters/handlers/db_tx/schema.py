"""The tables in the target in which effects are recorded."""

from typing import Final

import psycopg

from scheduler.adapters.handlers.db_tx.connections import connect, conninfo_of
from scheduler.adapters.handlers.db_tx.outcome import TargetError, one_line
from scheduler.adapters.handlers.db_tx.texts import read_sql

TABLES: Final = ("scheduler_effects", "scheduler_effect_rows")
RACES: Final = 10
LOST_RACES: Final = frozenset({"23505", "42P07", "42710", "40001", "XX000"})
"""What the second of two concurrent CREATE TABLE IF NOT EXISTS is told."""


async def create_effects(url: str) -> None:
    """Create the tables that are missing; any number of processes may. Raises TargetAddressError or TargetError."""
    connection = await connect(conninfo_of(url))
    async with connection:
        await connection.set_autocommit(True)
        for table in TABLES:
            await _create(connection, table)


async def _create(connection: psycopg.AsyncConnection, table: str) -> None:
    for race in range(RACES):
        try:
            await connection.execute(read_sql(f"create_{table}"))
        except psycopg.Error as error:
            if race == RACES - 1 or error.sqlstate not in LOST_RACES:
                raise TargetError(f"{table} cannot be created: {one_line(error)}") from error
        else:
            return
