import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from scheduler.adapters.cockroach import ConnectionPool, Statements, StoreSettings, Transactions
from scheduler.adapters.cockroach.connection import StoreConnection
from scheduler.application.deadline import time_limit
from scheduler.application.errors import StoreUnavailableError


class BreakingPool(ConnectionPool):
    """Its connections break when they are waited for no longer, as they do under a server that stands still."""

    def __init__(self) -> None:
        super().__init__(StoreSettings(url="host=nowhere"), Statements())
        self.asked = 0

    @asynccontextmanager
    async def connection(self, seconds: float) -> AsyncIterator[StoreConnection]:
        self.asked += 1
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise psycopg.OperationalError("the connection was closed") from None
        yield await StoreConnection.connect()


def test_a_cancellation_is_not_lost_in_the_failure_of_its_connection() -> None:
    async def scenario() -> int:
        pool = BreakingPool()
        statement = asyncio.create_task(Transactions(pool, Statements()).run("read_time"))
        await asyncio.sleep(0)
        statement.cancel()
        with pytest.raises(asyncio.CancelledError):
            await statement
        return pool.asked

    assert asyncio.run(scenario()) == 1


def test_a_deadline_that_breaks_the_connection_is_an_outage_for_the_caller() -> None:
    async def scenario() -> int:
        pool = BreakingPool()
        with time_limit(0.05), pytest.raises(StoreUnavailableError, match="the connection was closed"):
            await Transactions(pool, Statements()).run("read_time")
        return pool.asked

    assert asyncio.run(scenario()) == 1
