"""One statement of a job, on a real target: what it does, what its row says, and what its errors mean."""

import asyncio
import json
import math
import traceback
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from scheduler.adapters.handlers.db_tx import DbTxHandler
from scheduler.adapters.handlers.db_tx.outcome import TargetError
from scheduler.adapters.system.clock import SystemClock
from scheduler.application.ports.handlers import PermanentError
from tests.integration.db_tx_tools import GRANTS, Job, Target, make_target, named, play, query, run_once
from tests.support.sql import execute

pytestmark = pytest.mark.servers
TRANSFER = "UPDATE accounts SET balance = balance + $2 WHERE id = $1"


@pytest.fixture(scope="module")
def made(postgres_url: str) -> Target:
    target = make_target(postgres_url)
    execute(
        target.admin_url,
        "CREATE TABLE kinds (id INT8, b BOOL, n NUMERIC, f FLOAT8, t TEXT, d DATE, u UUID, j JSONB, at TIMESTAMPTZ)",
        "CREATE TABLE parents (id INT8 PRIMARY KEY)",
        "CREATE TABLE children (id INT8 PRIMARY KEY, parent INT8 REFERENCES parents DEFERRABLE INITIALLY DEFERRED)",
        "CREATE TABLE secrets (id INT8)",
        "GRANT SELECT, INSERT ON kinds, parents, children TO public",
    )
    return target


@pytest.fixture
def target(made: Target) -> Target:
    made.reset()
    return made


def refused(target: Target, job: Job, statements: Mapping[str, str] | None = None) -> str:
    """Run a job that fails, after which nothing is left of it; return why."""
    kind = PermanentError
    with pytest.raises(kind) as refusal:
        run_once(target, job, statements=statements)
    assert type(refusal.value) is kind
    assert target.effects(job.id) == []
    return str(refusal.value)


@pytest.mark.parametrize(
    ("statement", "params", "rows"),
    [
        (TRANSFER, [1, 5], 1),
        ("UPDATE accounts SET balance = balance + 1", [], 3),
        ("UPDATE accounts SET balance = 0 WHERE id = 99", [], 0),
        ("UPDATE accounts SET balance = balance + 1 RETURNING id", [], 3),
        ("SELECT id FROM accounts", [], 3),
        ("INSERT INTO accounts SELECT g, 0 FROM generate_series(10, 19) AS g", [], 10),
        ("DELETE FROM accounts WHERE id = $1", [1], 1),
        ("WITH gone AS (DELETE FROM accounts RETURNING id) SELECT count(*) FROM gone", [], 1),
        ("VALUES (1), (2)", [], 2),
        ("DO $$ BEGIN UPDATE accounts SET balance = 1; END $$", [], 0),
    ],
)
def test_the_rows_affected_are_the_result_and_are_kept(
    target: Target, statement: str, params: Sequence[object], rows: int
) -> None:
    job = Job(payload=named(statement, *params))

    assert run_once(target, job, statements={statement: statement}) == rows
    assert target.effects(job.id) == [(1, rows)]


def test_the_role_has_the_rights_that_the_documentation_names_and_no_others() -> None:
    page = Path(__file__).parents[2] / "docs" / "db_tx.md"

    assert f"\n{GRANTS[0].format('scheduler_worker')};\n" in page.read_text("utf-8")


def test_an_attempt_after_the_effect_reports_it_and_repeats_nothing(target: Target) -> None:
    job = Job(payload=query(TRANSFER, 1, 5))

    assert [run_once(target, job) for _ in range(3)] == [1, 1, 1]

    assert target.balances()[1] == 105
    assert target.effects(job.id) == [(1, 1)]


def test_another_job_with_the_same_statement_has_an_effect_of_its_own(target: Target) -> None:
    run_once(target, Job(payload=query(TRANSFER, 1, 5)))
    run_once(target, Job(payload=query(TRANSFER, 1, 5)))

    assert target.balances()[1] == 110


def test_a_job_that_has_taken_effect_does_not_claim_to_have_done_what_its_new_payload_says(target: Target) -> None:
    job = Job(payload=query(TRANSFER, 1, 5))
    run_once(target, job)
    job.payload = query(TRANSFER, 2, 5)

    with pytest.raises(PermanentError, match=r"^payload: the job took effect in attempt 1, with another payload"):
        run_once(target, job)

    assert target.balances() == {1: 105, 2: 100, 3: 100}


def test_json_values_arrive_as_the_columns_want_them(target: Target) -> None:
    values = [1, True, 0.1, 0.1, "text", "2026-03-04", "6f1d3c5e-8a0b-4c53-9d27-1e0f5a7b9c24", {"a": [1.50]}, None]
    payload = json.dumps({"query": "INSERT INTO kinds VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9)", "params": values})
    exact = "0.1234567890123456789012345678901234567890"

    run_once(target, Job(payload=payload.replace("0.1,", f"{exact},", 1).replace("1.5]", "1.50]")))

    [row] = target.rows("SELECT b, n, f, t, d, u::TEXT, j::TEXT, at FROM kinds WHERE id = 1")
    assert row[:2] == (True, Decimal(exact))
    assert math.isclose(row[2], 0.1)
    assert row[3:] == ("text", date(2026, 3, 4), values[6], '{"a": [1.50]}', None)


def test_numbers_are_read_as_int8_or_numeric(target: Target) -> None:
    types = "SELECT 1 WHERE pg_typeof($1)::TEXT = 'bigint' AND pg_typeof($2)::TEXT = 'numeric' AND $3 + 1 > $3"

    assert run_once(target, Job(payload=query(types, 7, 2**63, 2**200))) == 1


@pytest.mark.parametrize(
    ("statement", "params", "reason"),
    [
        ("INSERT INTO accounts VALUES (1, 0)", [], "duplicate key value violates unique constraint"),
        ("UPDATE accounts SET balance = -1 WHERE id = 1", [], "violates check constraint"),
        ("UPDATE accounts SET balance = NULL WHERE id = 1", [], "violates not-null constraint"),
        ("INSERT INTO children VALUES (1, 99)", [], "violates foreign key constraint"),
        ("SELEC 1", [], "statement: must begin with"),
        ("SELECT FROM WHERE", [], "syntax error"),
        ("SELECT nothing FROM accounts", [], "does not exist [42703]"),
        ("SELECT 1 FROM nowhere", [], "does not exist [42P01]"),
        ("SELECT id FROM secrets", [], "permission denied for table secrets [42501]"),
        ("DELETE FROM scheduler_effects", [], "permission denied for table scheduler_effects [42501]"),
        ("UPDATE scheduler_effect_rows SET rows_affected = 0", [], "permission denied"),
        ("TRUNCATE scheduler_effects", [], "permission denied"),
        ("SELECT 1 / $1", [0], "division by zero [22012]"),
        ("SELECT $1::DATE", ["soon"], "invalid input syntax for type date"),
        ("SELECT $1::INT8", ["9223372036854775808"], "out of range"),
        ("DO $$ BEGIN RAISE EXCEPTION 'no funds'; END $$", [], "no funds [P0001]"),
    ],
)
def test_what_no_retry_can_cure_fails_for_good_and_leaves_nothing(
    target: Target, statement: str, params: Sequence[object], reason: str
) -> None:
    assert reason in refused(target, Job(payload=named(statement, *params)), {statement: statement})
    assert target.balances() == {1: 100, 2: 100, 3: 100}


def test_a_constraint_that_breaks_at_the_commit_fails_for_good(target: Target) -> None:
    assert "violates foreign key constraint" in refused(
        target, Job(payload=query("INSERT INTO children VALUES (1, 99)"))
    )


def test_errors_quote_no_data(target: Target) -> None:
    reason = refused(target, Job(payload=query("INSERT INTO accounts VALUES ($1, 0)", 3)))

    assert reason == 'duplicate key value violates unique constraint "accounts_pkey" [23505]'


def test_a_job_that_failed_can_be_tried_again_with_another_payload(target: Target) -> None:
    job = Job(payload=query("UPDATE accounts SET balance = -1"))
    refused(target, job)
    job.payload = query(TRANSFER, 1, 5)

    assert run_once(target, job) == 1


@pytest.mark.parametrize(
    ("sqlstate", "kind"),
    [("40001", TargetError), ("57014", TargetError), ("53100", TargetError), ("23514", PermanentError)],
)
def test_the_state_that_the_database_gives_decides(target: Target, sqlstate: str, kind: type[Exception]) -> None:
    raising = f"DO $$ BEGIN RAISE EXCEPTION 'so it says' USING ERRCODE = '{sqlstate}'; END $$"

    with pytest.raises(kind, match=rf"so it says \[{sqlstate}\]"):
        run_once(target, Job(payload=named(raising)), seconds=0.5, statements={raising: raising})


def test_without_the_tables_the_job_waits_for_its_operator(postgres_url: str, target: Target) -> None:
    job = Job(payload=query("SELECT 1"))
    with pytest.raises(TargetError, match=r"see `scheduler migrate --db-tx`: relation .* does not exist"):
        play(postgres_url, lambda attempts: attempts.run(job), statements={})


def test_without_an_address_the_job_fails_for_good() -> None:
    handler = DbTxHandler(target=None, statements=None, clock=SystemClock())

    with pytest.raises(PermanentError, match="DB_TX_DATABASE_URL is not set"):
        asyncio.run(handler.run(query("SELECT 1"), Job(payload="").context()))


def test_a_named_statement_runs(target: Target) -> None:
    job = Job(payload='{"statement": "transfer", "params": [1, 5]}')

    assert play(target.url, lambda attempts: attempts.run(job), statements={"transfer": TRANSFER}) == 1
    assert target.balances()[1] == 105


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("user=nobody", "password authentication failed"),
        ("port=1", "Connection refused"),
        ("dbname=nothing", "does not exist"),
    ],
)
def test_a_target_that_does_not_let_us_in_is_tried_again_later_and_no_password_is_told(
    target: Target, change: str, reason: str
) -> None:
    job = Job(payload=query("SELECT 1"))

    with pytest.raises(TargetError, match=r"^no connection to the target database: ") as refusal:
        play(f"{target.url} {change}", lambda attempts: attempts.run(job))

    assert reason in str(refusal.value)
    assert "pass-of" not in "".join(traceback.format_exception(refusal.value))
