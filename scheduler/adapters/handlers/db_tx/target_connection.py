"""A connection that is given up at once when the job that uses it is stopped."""

import asyncio
from contextlib import suppress
from typing import Final, TypeVar

import psycopg
from psycopg import AsyncConnection, waiting
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

T = TypeVar("T")
CANCEL_SECONDS: Final = 0.5
"""How long the server may take to accept the cancellation of a statement."""
WAKE_SECONDS: Final = 0.1
"""How often a wait looks around, as the driver's own does."""


class TargetConnection(AsyncConnection[TupleRow]):
    """Asks the server to end a statement that is cancelled, and closes without waiting until it has.

    The driver's own wait takes ten seconds where a target has gone silent. The server rolls back when it finds the
    connection closed, or at the limit of the transaction.
    """

    async def wait(
        self,
        gen: PQGen[T],
        interval: float = WAKE_SECONDS,
        timeout: float | None = None,  # noqa: ASYNC109 - the driver's signature
    ) -> T:
        """Wait until an exchange with the server is done."""
        try:
            return await waiting.wait_async(gen, self.pgconn.socket, interval=interval, timeout=timeout)
        except asyncio.CancelledError:
            await self._give_up()
            raise

    async def _give_up(self) -> None:
        try:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                with suppress(psycopg.Error):
                    await self.cancel_safe(timeout=CANCEL_SECONDS)
        finally:
            await self.close()
