"""A target database for db_tx jobs, a role that may do just enough, and attempts made by hand."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from scheduler.adapters.handlers.db_tx import Connections, DbTxHandler, create_effects
from scheduler.adapters.system.clock import SystemClock
from scheduler.application.ports.handlers import JobContext
from scheduler.domain.ids import AttemptId, Fence, JobId
from tests.acceptance.operations import eventually
from tests.support.builders import a_job_id, a_worker_id
from tests.support.sql import create_database, execute

T = TypeVar("T")
# The statements of docs/db_tx.md.
GRANTS: Final = (
    "GRANT SELECT, INSERT ON scheduler_effects, scheduler_effect_rows TO {}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON accounts TO {}",
)


@dataclass(frozen=True, kw_only=True)
class Target:
    """One database; `url` is the worker's, whose role owns nothing."""

    admin_url: str
    url: str

    def rows(self, query: str, *parameters: object) -> list[TupleRow]:
        with psycopg.connect(self.admin_url, autocommit=True, connect_timeout=5) as connection:
            return connection.execute(query.encode(), parameters).fetchall()

    def value(self, query: str, *parameters: object) -> object:
        [[value]] = self.rows(query, *parameters)
        return value

    def effects(self, job_id: JobId) -> list[TupleRow]:
        return self.rows(
            "SELECT e.attempt, r.rows_affected FROM scheduler_effects e LEFT JOIN scheduler_effect_rows r"
            " ON r.job_id = e.job_id WHERE e.job_id = %s",
            job_id,
        )

    def balances(self) -> dict[int, int]:
        return {row[0]: int(row[1]) for row in self.rows("SELECT id, balance FROM accounts ORDER BY id")}

    def reset(self) -> None:
        execute(
            self.admin_url,
            "TRUNCATE accounts, scheduler_effects, scheduler_effect_rows",
            "INSERT INTO accounts (id, balance) VALUES (1, 100), (2, 100), (3, 100)",
        )

    @property
    def waiting(self) -> int:
        """Count the statements that wait for a lock."""
        count = self.value(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        assert isinstance(count, int)
        return count


def a_target_of(server_url: str) -> Target:
    """Create a database with accounts and with the tables of db_tx; the worker is its owner."""
    url = create_database(server_url)
    asyncio.run(create_effects(url))
    execute(url, "CREATE TABLE accounts (id INT8 PRIMARY KEY, balance NUMERIC NOT NULL CHECK (balance >= 0))")
    target = Target(admin_url=url, url=url)
    target.reset()
    return target


def make_target(server_url: str) -> Target:
    """Create the same, with a role for the worker."""
    target = a_target_of(server_url)
    role, password = f"worker_{uuid4().hex}", "pass-of-the-target"
    execute(
        target.admin_url,
        sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(password)),
        *(sql.SQL(grant).format(sql.Identifier(role)) for grant in GRANTS),
    )
    url = make_conninfo("", **{**conninfo_to_dict(target.admin_url), "user": role, "password": password})
    return replace(target, url=url)


def query(text: str, *params: object) -> str:
    """Write a payload."""
    return json.dumps({"query": text, "params": params})


def named(name: str, *params: object) -> str:
    """Write a payload that asks for an allowed statement."""
    return json.dumps({"statement": name, "params": params})


@dataclass(kw_only=True)
class Job:
    """A job whose attempts are made one by one."""

    payload: str
    id: JobId = field(default_factory=a_job_id)
    attempts: int = 0

    def context(self, *, seconds: float = 30.0) -> JobContext:
        self.attempts += 1
        return JobContext(
            attempt_id=AttemptId(self.id, Fence(2 * self.attempts)),
            job_type="db_tx",
            attempt=self.attempts,
            max_attempts=3,
            worker_id=a_worker_id(),
            deadline=datetime.now(UTC) + timedelta(seconds=seconds),
        )


class Attempts:
    """Runs attempts on one handler, as a worker does."""

    def __init__(
        self,
        url: str,
        *,
        size: int = 5,
        statements: Mapping[str, str] | None = None,
        draw: Callable[[], float] = lambda: 0.5,
    ) -> None:
        self.url = url
        self.connections = Connections(url, size=size, any_sql=statements is None)
        self.handler = DbTxHandler(target=self.connections, statements=statements, clock=SystemClock(), draw=draw)

    async def run(self, job: Job, *, seconds: float = 30.0) -> int:
        """Run one attempt; return the rows affected."""
        result = await self.handler.run(job.payload, job.context(seconds=seconds))
        assert result is not None
        [(name, rows)] = json.loads(result).items()
        assert name == "rows_affected"
        assert isinstance(rows, int)
        return rows


def play(
    url: str,
    scenario: Callable[[Attempts], Coroutine[object, object, T]],
    *,
    size: int = 5,
    statements: Mapping[str, str] | None = None,
) -> T:
    """Run a scenario with a handler of its own."""

    async def with_handler() -> T:
        attempts = Attempts(url, size=size, statements=statements)
        try:
            return await scenario(attempts)
        finally:
            await attempts.handler.close()

    return asyncio.run(with_handler())


def run_once(target: Target, job: Job, *, seconds: float = 30.0, statements: Mapping[str, str] | None = None) -> int:
    """Run one attempt on a new handler."""
    return play(target.url, lambda attempts: attempts.run(job, seconds=seconds), statements=statements)


def until_idle(target: Target) -> None:
    """Wait until no transaction is open: what was cut off ends a moment later."""
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    eventually(lambda: target.value(f"SELECT count(*) {others} AND xact_start IS NOT NULL") == 0)
