"""The one way to the store: a statement is repeated until its fate is known, or the deadline comes."""

import asyncio
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Final

import psycopg
from psycopg import AsyncCursor
from psycopg.rows import TupleRow

from scheduler.adapters.cockroach.connection import StoreConnection, Terms
from scheduler.adapters.cockroach.errors import FAILURES, Failure, Verdict, reason_of, verdict_on
from scheduler.adapters.cockroach.patience import Patience
from scheduler.adapters.cockroach.pool import ConnectionPool
from scheduler.adapters.cockroach.statements import Statements
from scheduler.application.deadline import remaining_seconds
from scheduler.application.ports.telemetry import StoreTelemetry
from scheduler.application.unobserved import UNOBSERVED

GRACE_SECONDS: Final = 1.0
"""How long after its deadline a statement may still be on its way to being cancelled."""

OTHER_OPERATION: Final = "other"
"""A statement without a name: migrations."""

Parameters = Mapping[str, object]


class Transactions:
    """Runs statements, each a transaction of its own, within the caller's deadline.

    Every statement may run more than once: writes recognise themselves by their op_id, or are the same when repeated.
    """

    def __init__(
        self,
        pool: ConnectionPool,
        statements: Statements,
        *,
        telemetry: StoreTelemetry = UNOBSERVED,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._pool = pool
        self._statements = statements
        self._telemetry = telemetry
        self._draw = draw

    async def run(self, name: str, /, **parameters: object) -> list[TupleRow]:
        """Run the statement of that name and return its rows."""
        return await self.execute(self._statements[name], parameters, operation=name)

    async def execute(
        self, statement: bytes, parameters: Parameters | None = None, *, operation: str = OTHER_OPERATION
    ) -> list[TupleRow]:
        """Run a statement and return its rows. Raises an error of ours, from the driver's."""
        with self._telemetry.call(operation):
            return await self._repeatedly(statement, parameters, operation)

    async def _repeatedly(self, statement: bytes, parameters: Parameters | None, operation: str) -> list[TupleRow]:
        patience = Patience(remaining_seconds(), self._pool.link, self._draw)
        cancellations = _cancellations()
        while True:
            try:
                async with asyncio.timeout(patience.left()):
                    return await self._once(statement, parameters, patience.left())
            except FAILURES as error:
                if _cancellations() > cancellations:
                    # The connection failed while the driver handled our cancellation.
                    raise asyncio.CancelledError from error
                await patience.after(error)
                self._telemetry.repeated(operation, reason_of(error))

    async def _once(self, statement: bytes, parameters: Parameters | None, seconds: float) -> list[TupleRow]:
        async with self._pool.connection(seconds) as connection:
            try:
                with connection.hang_up_after(seconds + GRACE_SECONDS):
                    cursor = await self._sent(connection, statement, parameters)
                    return await cursor.fetchall() if cursor.description is not None else []
            except FAILURES as error:
                await _discard_after(error, connection)
                raise

    async def _sent(
        self, connection: StoreConnection, statement: bytes, parameters: Parameters | None
    ) -> AsyncCursor[TupleRow]:
        terms = connection.pooled_terms
        if terms is None:
            return await connection.execute(statement, parameters, binary=True)
        try:
            return await self._sent_on_terms(connection, terms, statement, parameters)
        except BaseException:
            # Behind a statement that failed, the COMMIT was not executed; bounded as the statement is.
            with suppress(psycopg.Error):
                await connection.rollback()
            raise

    async def _sent_on_terms(
        self, connection: StoreConnection, terms: Terms, statement: bytes, parameters: Parameters | None
    ) -> AsyncCursor[TupleRow]:
        """Run a transaction with settings of its own, in one round trip."""
        async with connection.one_message():
            await connection.execute(f"BEGIN ISOLATION LEVEL {terms.isolation}".encode())
            await connection.execute(self._statements["limit_transaction"], asdict(terms))
            cursor = await connection.execute(statement, parameters, binary=True)
            await connection.execute(b"COMMIT")
        return cursor


async def _discard_after(error: Failure, connection: StoreConnection) -> None:
    if verdict_on(error) is Verdict.RECONNECT:
        await connection.close()


def _cancellations() -> int:
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()
