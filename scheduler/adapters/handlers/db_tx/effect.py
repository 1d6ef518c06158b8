"""The transaction in which a statement takes effect at most once for its job."""

from dataclasses import dataclass
from typing import Final

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from scheduler.adapters.handlers.db_tx.execution import count_rows
from scheduler.adapters.handlers.db_tx.outcome import Phase, told_apart
from scheduler.adapters.handlers.db_tx.payload import Statement
from scheduler.adapters.handlers.db_tx.texts import read_sql
from scheduler.application.ports.handlers import PermanentError
from scheduler.domain.ids import AttemptId

SAVEPOINT: Final = b"SAVEPOINT scheduler_effect"
RELEASE: Final = b"RELEASE SAVEPOINT scheduler_effect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What an attempt wants to do, and who it is."""

    attempt_id: AttemptId
    attempt: int
    payload_hash: str
    statement: Statement | PermanentError
    """What to run, or why it is refused: perhaps it was not when an earlier attempt took effect."""

    async def take(self, connection: AsyncConnection, *, seconds: float) -> "Taken":
        """Run the statement and commit it with the row that says so; or find the row of an earlier attempt.

        The row comes first: another attempt of the same job waits for it, and whatever the statement does, nothing of
        it can be committed without the row. Releasing the savepoint proves that the transaction is still the same: a
        row can therefore not stay without the statement either. A statement that is refused does not run, and the claim
        is gone with the transaction. Raises PermanentError, TargetError, RepeatableError.
        """
        with told_apart(Phase.CLAIM):
            await connection.execute(read_sql("limit_transaction"), {"limit": f"{int(seconds * 1000)}ms"})
            if not await self._claim(connection):
                return self._found(await self._find(connection))
            if isinstance(self.statement, PermanentError):
                raise self.statement
            await connection.execute(SAVEPOINT)
        with told_apart(Phase.STATEMENT):
            rows = await count_rows(connection, self.statement)
        with told_apart(Phase.RECORD):
            await connection.execute(RELEASE)
            await connection.execute(read_sql("note_rows"), {"job_id": self.attempt_id.job_id, "rows_affected": rows})
        with told_apart(Phase.COMMIT):
            await connection.commit()
        return Taken(rows_affected=rows)

    async def _claim(self, connection: AsyncConnection) -> bool:
        values = {
            "job_id": self.attempt_id.job_id,
            "fence": self.attempt_id.fence,
            "attempt": self.attempt,
            "payload_hash": self.payload_hash,
        }
        cursor = await connection.execute(read_sql("claim_effect"), values)
        return await cursor.fetchone() is not None

    async def _find(self, connection: AsyncConnection) -> TupleRow | None:
        cursor = await connection.execute(read_sql("find_effect"), {"job_id": self.attempt_id.job_id})
        return await cursor.fetchone()

    def _found(self, row: TupleRow | None) -> "Taken":
        if row is None:
            raise PermanentError("the row in scheduler_effects went away")
        attempt, payload_hash, rows = row
        if payload_hash != self.payload_hash:
            raise PermanentError(f"payload: the job took effect in attempt {attempt}, with another payload")
        return Taken(rows_affected=rows, earlier_attempt=attempt)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a job has done to the target."""

    rows_affected: int
    earlier_attempt: int | None = None
    """The attempt that did it, when it was not this one."""
