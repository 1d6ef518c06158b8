"""Hostile statements: none is committed without its record, and no record without its statement."""

from collections.abc import Iterator

import pytest

from scheduler.adapters.handlers.db_tx.effect import Effect
from scheduler.adapters.handlers.db_tx.outcome import TargetError
from scheduler.adapters.handlers.db_tx.payload import Statement
from scheduler.application.ports.handlers import PermanentError
from tests.integration.cockroach_tools import Draws
from tests.integration.db_tx_tools import Attempts, Job, Target, make_target, named, play, until_idle
from tests.support.sql import execute

pytestmark = pytest.mark.servers
TRANSFER = "UPDATE accounts SET balance = balance + $2 WHERE id = $1"
EMPTY = "WITH a AS (UPDATE accounts SET balance = 0 RETURNING 1)"


@pytest.fixture(scope="module")
def made(postgres_url: str) -> Target:
    target = make_target(postgres_url)
    execute(
        target.admin_url,
        "CREATE PROCEDURE committing() LANGUAGE plpgsql AS $$ BEGIN UPDATE accounts SET balance = 0; COMMIT; END $$",
        "CREATE PROCEDURE rolling_back() LANGUAGE plpgsql AS"
        " $$ BEGIN UPDATE accounts SET balance = 0; ROLLBACK; UPDATE accounts SET balance = 1; END $$",
    )
    return target


@pytest.fixture
def target(made: Target) -> Iterator[Target]:
    made.reset()
    yield made
    # Whatever was done to it, no transaction is left behind.
    until_idle(made)


@pytest.mark.parametrize(
    "statement",
    [
        "COMMIT",
        "ROLLBACK",
        "COMMIT AND CHAIN",
        "ROLLBACK AND CHAIN",
        "; COMMIT",
        "/* UPDATE */ COMMIT",
        "PREPARE TRANSACTION 'x'",
        "RELEASE SAVEPOINT scheduler_effect",
        "ROLLBACK TO SAVEPOINT scheduler_effect",
        "UPDATE accounts SET balance = 0; COMMIT",
        "ROLLBACK; UPDATE accounts SET balance = 0",
        "CALL committing()",
        "CALL rolling_back()",
        "DO $$ BEGIN UPDATE accounts SET balance = 0; COMMIT; END $$",
        "DO $$ BEGIN EXECUTE 'COMMIT'; END $$",
        f"{EMPTY} SELECT set_config('search_path', 'nowhere', true) FROM a",
        f"{EMPTY} SELECT set_config('search_path', 'nowhere', false) FROM a",
        "DO $$ BEGIN UPDATE accounts SET balance = 0; CREATE TEMP TABLE scheduler_effect_rows (a INT8); END $$",
    ],
)
def test_no_statement_gets_past_its_record_nor_the_record_past_it(target: Target, statement: str) -> None:
    job = Job(payload=named(statement))

    async def scenario(attempts: Attempts) -> None:
        with pytest.raises(PermanentError):
            await attempts.run(job)
        assert await attempts.run(Job(payload=named(TRANSFER, 1, 5))) == 1

    play(target.url, scenario, size=1, statements={text: text for text in (statement, TRANSFER)})
    assert target.effects(job.id) == []
    assert target.balances() == {1: 105, 2: 100, 3: 100}


@pytest.mark.parametrize(
    "statement", ["COMMIT", "ROLLBACK", "COMMIT AND CHAIN", "ROLLBACK AND CHAIN", "RELEASE SAVEPOINT scheduler_effect"]
)
def test_were_its_first_word_not_looked_at_what_ends_the_transaction_would_still_be_noticed(
    target: Target, statement: str
) -> None:
    context = Job(payload="").context()
    sent = Statement(sql=statement.encode(), parameters=[])
    effect = Effect(attempt_id=context.attempt_id, attempt=1, payload_hash="", statement=sent)

    async def scenario(attempts: Attempts) -> None:
        async with attempts.connections.lend() as connection:
            with pytest.raises(PermanentError, match="changed the transaction or session that it ran in"):
                await effect.take(connection, seconds=10)

    play(target.url, scenario)


@pytest.mark.parametrize(
    "sql", [b"SELECT 1; SELECT 2", b"UPDATE accounts SET balance = 0; COMMIT", b"COPY accounts TO STDOUT"]
)
def test_were_statements_not_counted_the_server_would_still_take_one_only(target: Target, sql: bytes) -> None:
    context = Job(payload="").context()
    effect = Effect(
        attempt_id=context.attempt_id, attempt=1, payload_hash="", statement=Statement(sql=sql, parameters=[])
    )

    async def scenario(attempts: Attempts) -> None:
        async with attempts.connections.lend() as connection:
            with pytest.raises(PermanentError):
                await effect.take(connection, seconds=10)

    play(target.url, scenario)
    assert target.effects(context.job_id) == []
    assert target.balances() == {1: 100, 2: 100, 3: 100}


def test_a_statement_that_ends_its_own_connection_is_not_repeated_at_once(target: Target) -> None:
    draws = Draws()
    statement = "SELECT pg_terminate_backend(pg_backend_pid())"
    job = Job(payload=named(statement))

    async def scenario(attempts: Attempts) -> None:
        with pytest.raises(TargetError, match="terminating connection"):
            await Attempts(attempts.url, draw=draws, statements={statement: statement}).run(job)

    play(target.url, scenario)
    assert draws.count == 0
    assert target.effects(job.id) == []
