"""What jobs that may send any SQL cannot do: to each other's records, to the server, to the workers after them."""

from collections.abc import Iterator
from hashlib import sha256

import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from scheduler.adapters.handlers.db_tx import PrivilegedRoleError
from scheduler.adapters.handlers.db_tx.outcome import TargetError
from scheduler.application.ports.handlers import PermanentError
from tests.integration.db_tx_tools import Attempts, Job, Target, make_target, play, query, run_once, until_idle
from tests.support.sql import execute

pytestmark = pytest.mark.servers
TRANSFER = "UPDATE accounts SET balance = balance + $2 WHERE id = $1"


@pytest.fixture
def target(db_tx_target: Target) -> Iterator[Target]:
    db_tx_target.reset()
    yield db_tx_target
    until_idle(db_tx_target)


@pytest.mark.parametrize("name", ["scheduler_effect", 'public."scheduler_effect', r'U&"scheduler\005feffect'])
def test_a_job_cannot_record_the_effect_of_another(target: Target, name: str) -> None:
    end = '"' if '"' in name else ""
    victim = Job(payload=query(TRANSFER, 1, 5))
    forgery = (
        f"WITH a AS (INSERT INTO {name}s{end} VALUES ($1::UUID, 1, 1, $2, now()))"
        f" INSERT INTO {name}_rows{end} VALUES ($1::UUID, 1)"
    )
    forged = query(forgery, str(victim.id), sha256(victim.payload.encode()).hexdigest())

    with pytest.raises(PermanentError, match="query: must not"):
        run_once(target, Job(payload=forged))

    assert target.effects(victim.id) == []
    assert run_once(target, victim) == 1
    assert target.balances()[1] == 105


def test_a_string_that_the_target_would_read_otherwise_is_read_as_it_was_checked(target: Target) -> None:
    role = sql.Identifier(str(conninfo_to_dict(target.url)["user"]))
    statement = sql.SQL("ALTER ROLE {} SET standard_conforming_strings = off").format(role)
    execute(target.admin_url, statement)
    try:
        assert run_once(target, Job(payload=query(r"SELECT 1 WHERE length('\\') = 2 AND '\' = $1", "\\"))) == 1
    finally:
        execute(target.admin_url, sql.SQL("ALTER ROLE {} RESET ALL").format(role))


def test_settings_of_the_role_do_not_stop_jobs(target: Target) -> None:
    role = sql.Identifier(str(conninfo_to_dict(target.url)["user"]))
    execute(target.admin_url, sql.SQL("ALTER ROLE {} SET default_transaction_read_only = on").format(role))
    try:
        assert run_once(target, Job(payload=query(TRANSFER, 1, 5))) == 1
    finally:
        execute(target.admin_url, sql.SQL("ALTER ROLE {} RESET ALL").format(role))


@pytest.mark.parametrize(
    "right", ["SUPERUSER", "pg_execute_server_program", "pg_read_server_files", "pg_write_server_files"]
)
def test_a_role_with_rights_on_the_server_runs_no_submitters_sql(postgres_url: str, right: str) -> None:
    target = make_target(postgres_url)
    role = sql.Identifier(str(conninfo_to_dict(target.url)["user"]))
    change = sql.SQL("ALTER ROLE {} SUPERUSER") if right == "SUPERUSER" else sql.SQL(f"GRANT {right} TO {{}}")
    execute(target.admin_url, change.format(role))
    job = Job(payload=query(TRANSFER, 1, 5))

    async def scenario(attempts: Attempts) -> None:
        with pytest.raises(PrivilegedRoleError, match=r"^DB_TX_ALLOW_ANY_SQL: .* role of DB_TX_DATABASE_URL has the"):
            await attempts.handler.check_role()
        with pytest.raises(TargetError, match=r"^DB_TX_ALLOW_ANY_SQL: "):
            await attempts.run(job)

    play(target.url, scenario)
    assert target.balances()[1] == 100
    # What the operator wrote is run by any role.
    assert run_once(target, Job(payload='{"statement": "it"}'), statements={"it": "SELECT 1"}) == 1


def test_a_plain_role_passes_and_a_target_that_is_away_stops_no_start(target: Target) -> None:
    async def scenario(attempts: Attempts) -> None:
        await attempts.handler.check_role()

    play(target.url, scenario)
    play(f"{target.url} port=1", scenario)
