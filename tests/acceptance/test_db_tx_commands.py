"""What an operator sees of db_tx: the command that prepares a target, and a worker that is told nonsense."""

from pathlib import Path

import pytest

from tests.support.sql import create_database, execute
from tests.unit.cli.tool import run_program

pytestmark = pytest.mark.servers


def test_a_target_is_prepared_as_often_as_one_likes(postgres_url: str) -> None:
    url = create_database(postgres_url)

    for _ in range(2):
        ran = run_program("migrate", "--db-tx", environment={"DB_TX_DATABASE_URL": url})
        assert (ran.code, ran.stdout) == (0, "the target of db_tx jobs is up to date\n")

    execute(url, "SELECT job_id FROM scheduler_effects", "SELECT job_id FROM scheduler_effect_rows")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "DB_TX_DATABASE_URL: must be set"),
        ("mysql://me:pass-of-mine@h/x", "DB_TX_DATABASE_URL: "),
        ("postgresql://me:pass-of-mine@h/x?sslmod=off", "DB_TX_DATABASE_URL: must be a URL that libpq reads"),
        ("postgresql://me:pass-of-mine@127.0.0.1:1/x", "no connection to the target database: "),
    ],
)
def test_a_target_that_is_none_is_refused_in_one_line_without_its_password(url: str, reason: str) -> None:
    ran = run_program("migrate", "--db-tx", environment={"DB_TX_DATABASE_URL": url})

    assert ran.code != 0
    assert reason in ran.error_line
    assert "pass-of-mine" not in ran.error_line


def test_a_worker_does_not_start_where_any_sql_would_run_with_the_rights_of_an_administrator(postgres_url: str) -> None:
    database = create_database(postgres_url)
    assert run_program("migrate", environment={"DATABASE_URL": database}).code == 0

    ran = run_program(
        "worker",
        environment={
            "DATABASE_URL": database,
            "REDIS_URL": "redis://127.0.0.1:1",
            "METRICS_PORT": "0",
            "DB_TX_DATABASE_URL": database,
            "DB_TX_ALLOW_ANY_SQL": "true",
        },
    )

    assert ran.code != 0
    assert (
        "DB_TX_ALLOW_ANY_SQL: must not be set where the role of DB_TX_DATABASE_URL has the rights of" in ran.error_line
    )


def test_a_worker_does_not_start_on_statements_that_cannot_be_meant(postgres_url: str, tmp_path: Path) -> None:
    path = tmp_path / "statements.sql"
    path.write_text("-- name: good\nSELECT 1\n\n-- name: bad\nCOMMIT\n")
    database = create_database(postgres_url)
    assert run_program("migrate", environment={"DATABASE_URL": database}).code == 0

    ran = run_program(
        "worker",
        environment={
            "DATABASE_URL": database,
            "REDIS_URL": "redis://127.0.0.1:1",
            "METRICS_PORT": "0",
            "DB_TX_ALLOWED_STATEMENTS": str(path),
        },
    )

    assert ran.code != 0
    assert f"DB_TX_ALLOWED_STATEMENTS: {path}, line 4: 'bad' must begin with CALL" in ran.error_line
