"""How a job's statement is sent."""

import psycopg
from psycopg import AsyncConnection, generators
from psycopg.abc import PQGen
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn

from scheduler.adapters.handlers.db_tx.payload import Statement


async def count_rows(connection: AsyncConnection, statement: Statement) -> int:
    """Run a statement and return how many rows it affected or returned, 0 where the server counts none.

    The extended protocol takes one statement only, whatever the text holds. Returned rows are dropped one by one, so
    that the memory of the worker does not depend on their number. Raises psycopg.Error.
    """
    async with connection.lock:
        await connection.wait(_send(connection.pgconn, statement))
        rows, error = 0, None
        while result := await connection.wait(generators.fetch(connection.pgconn)):
            match result.status:
                case ExecStatus.SINGLE_TUPLE:
                    pass
                case ExecStatus.TUPLES_OK | ExecStatus.COMMAND_OK:
                    rows = result.command_tuples or 0
                case ExecStatus.FATAL_ERROR:
                    error = psycopg.errors.error_from_result(result)
                case status:
                    await connection.close()
                    raise psycopg.NotSupportedError(f"the statement ended as {ExecStatus(status).name}")
    if error is not None:
        raise error
    return rows


def _send(pgconn: PGconn, statement: Statement) -> PQGen[None]:
    pgconn.send_query_params(
        statement.sql,
        [parameter.text for parameter in statement.parameters],
        param_types=[parameter.oid for parameter in statement.parameters],
    )
    pgconn.set_single_row_mode()
    yield from generators.send(pgconn)
