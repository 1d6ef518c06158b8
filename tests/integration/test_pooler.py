"""The store behind PgBouncer in transaction mode: its sessions serve each transaction another client."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import timedelta

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from scheduler.adapters.cockroach import Isolation, SqlJobRepository
from scheduler.adapters.cockroach.errors import Failure
from scheduler.adapters.cockroach.patience import Patience
from scheduler.application.deadline import time_limit
from scheduler.application.dto import Change
from scheduler.application.errors import DuplicateJobsError, StoreRejectedError, StoreUnavailableError
from scheduler.domain.job import Job
from tests.integration import db_tx_tools as db_tx
from tests.integration.cockroach_tools import Draws, added, blocked_backend, bystander, observed, row_lock, scalar
from tests.support.builders import NOW, SECOND, a_change, a_job, a_new_job, a_worker_id
from tests.support.pgbouncer import POOL_SIZE, PgBouncer
from tests.support.proxy import FaultProxy
from tests.support.sql import SqlBackend, create_database, execute

pytestmark = pytest.mark.servers

Scenario = Callable[[SqlBackend], Coroutine[object, object, None]]
SETTINGS = (
    b"SELECT current_setting('transaction_isolation'), current_setting('statement_timeout'),"
    b" current_setting('timezone'), current_setting('application_name')"
)


FLUSH = b"H\0\0\0\4"
"""The message of the protocol."""


@pytest.fixture(scope="module")
def url(postgres_url: str) -> str:
    """Return the address of the database itself."""
    return create_database(postgres_url)


@pytest.fixture(scope="module")
def pooled(pgbouncer: PgBouncer, url: str) -> str:
    """Return its address behind the pooler."""
    return pgbouncer.url(url)


def play(backend: SqlBackend, scenario: Scenario) -> None:
    async def opened() -> None:
        async with backend:
            await scenario(backend)

    asyncio.run(opened())


def started(job: Job) -> Change:
    return a_change(job, job.start(a_worker_id(), NOW))


async def is_pooled(backend: SqlBackend) -> bool:
    async with backend.pool.connection(5.0) as connection:
        assert (connection.prepare_threshold is None) == (connection.pooled_terms is not None)
        return connection.pooled_terms is not None


def test_a_pooler_is_told_from_a_server(url: str, pooled: str) -> None:
    async def scenario() -> None:
        async with SqlBackend(url) as direct, SqlBackend(pooled) as behind:
            assert not await is_pooled(direct)
            assert await is_pooled(behind)

    asyncio.run(scenario())


@pytest.mark.parametrize("isolation", [Isolation.READ_COMMITTED, Isolation.SERIALIZABLE])
def test_every_transaction_has_its_terms_and_leaves_none_behind(url: str, pooled: str, isolation: Isolation) -> None:
    async def scenario(backend: SqlBackend) -> None:
        rows = await asyncio.gather(*(backend.transactions.execute(SETTINGS) for _ in range(5 * POOL_SIZE)))
        assert {tuple(row) for [row] in rows} == {(isolation.value, "5s", "UTC", "scheduler")}
        async with bystander(pooled) as other:
            row = await (await other.execute("SELECT current_setting('statement_timeout')")).fetchone()
            assert row == ("0",)
            row = await (await other.execute("SELECT current_setting('default_transaction_isolation')")).fetchone()
            assert row == ("read committed",)

    play(SqlBackend(pooled, isolation=isolation), scenario)


def test_a_statement_in_its_transaction_costs_one_round_trip(url: str, pgbouncer: PgBouncer) -> None:
    async def scenario() -> None:
        async with (
            FaultProxy("127.0.0.1", pgbouncer.port) as proxy,
            SqlBackend(at_port(pgbouncer.url(url), proxy.port), max_connections=1) as backend,
        ):
            await backend.store_time.read()
            proxy.delay(0.1)  # in each direction
            assert min([await seconds_of(backend.store_time.read()) for _ in range(5)]) < 2 * 0.2
            proxy.heal()

    asyncio.run(scenario())


def test_many_clients_share_few_sessions_and_the_server_reports_no_error(
    pooled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported: list[str | None] = []
    decide = Patience.after

    async def noting(patience: Patience, error: Failure) -> None:
        reported.append(error.sqlstate if isinstance(error, psycopg.Error) else None)
        await decide(patience, error)

    monkeypatch.setattr(Patience, "after", noting)

    async def scenario() -> None:
        async with AsyncExitStack() as opened:
            backends = [await opened.enter_async_context(SqlBackend(pooled)) for _ in range(4)]
            for _ in range(10):
                batches = [[a_new_job() for _ in range(3)] for _ in range(8 * POOL_SIZE)]
                await asyncio.gather(
                    *(backends[index % 4].repository.add_all(batch) for index, batch in enumerate(batches)),
                    *(backend.store_time.read() for backend in backends),
                )
                ids = [new.job.id for batch in batches for new in batch]
                found = await asyncio.gather(*(backend.repository.load(ids) for backend in backends))
                assert {len(jobs) for jobs in found} == {len(ids)}

    asyncio.run(scenario())
    # Without a SQLSTATE the driver's pool waited longer for a connection than one try may: the machine was busy.
    assert [sqlstate for sqlstate in reported if sqlstate is not None] == []


def test_no_flush_is_sent_for_which_a_pooler_would_keep_a_session(url: str, pgbouncer: PgBouncer) -> None:
    async def scenario() -> None:
        async with (
            FaultProxy("127.0.0.1", pgbouncer.port) as proxy,
            SqlBackend(at_port(pgbouncer.url(url), proxy.port)) as backend,
        ):
            proxy.lose_reply_to(FLUSH)
            for _ in range(20):
                await backend.store_time.read()
            assert proxy.lost_replies == 0

    asyncio.run(scenario())


def test_a_statement_that_takes_too_long_is_ended_by_the_server_and_its_session_is_clean(url: str, pooled: str) -> None:
    async def scenario(backend: SqlBackend) -> None:
        job = a_job()
        await added(backend, job)
        async with row_lock(url, job):
            with pytest.raises(StoreUnavailableError, match="57014"):
                await backend.repository.apply([started(job)])
            assert (await backend.repository.load([job.id]))[job.id].version == 1

    play(SqlBackend(pooled, statement_timeout=timedelta(milliseconds=200)), scenario)


def test_a_statement_ends_with_the_callers_deadline_and_leaves_no_trace_on_the_server(url: str, pooled: str) -> None:
    async def scenario(backend: SqlBackend) -> None:
        job = a_job()
        await added(backend, job)
        async with row_lock(url, job):
            with time_limit(0.3), pytest.raises(StoreUnavailableError):
                await backend.repository.apply([started(job)])
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            assert scalar(url, waiting) == 0
        assert (await backend.repository.load([job.id]))[job.id].version == 1

    play(SqlBackend(pooled, max_connections=1), scenario)


@pytest.mark.parametrize("steps", range(0, 60, 4))
def test_a_statement_can_be_cancelled_at_any_moment(pooled: str, steps: int) -> None:
    async def scenario(backend: SqlBackend) -> None:
        for _ in range(4):
            read = asyncio.create_task(backend.store_time.read())
            for _ in range(steps):
                await asyncio.sleep(0)
            read.cancel()
            await asyncio.gather(read, return_exceptions=True)
        await asyncio.gather(*(backend.store_time.read() for _ in range(4)))

    play(SqlBackend(pooled, max_connections=2), scenario)


def test_a_cancelled_statement_gives_its_connection_back(url: str, pooled: str) -> None:
    async def scenario(backend: SqlBackend) -> None:
        job = a_job()
        await added(backend, job)
        for _ in range(5):
            async with row_lock(url, job):
                write = asyncio.create_task(backend.repository.apply([started(job)]))
                await blocked_backend(url)
                write.cancel()
                [result] = await asyncio.gather(write, return_exceptions=True)
                assert isinstance(result, asyncio.CancelledError)
            assert (await backend.repository.load([job.id]))[job.id] == job

    play(SqlBackend(pooled, max_connections=1), scenario)


def test_a_statement_that_waits_for_a_session_ends_with_its_deadline(postgres_url: str) -> None:
    url = create_database(postgres_url)

    async def scenario(pooler: PgBouncer) -> None:
        async with SqlBackend(pooler.url(url)) as backend:
            await backend.store_time.read()
            async with bystander(pooler.url(url)) as greedy, greedy.transaction():
                await greedy.execute("SELECT 1")  # in the only session
                with time_limit(0.3), pytest.raises(StoreUnavailableError):
                    await backend.store_time.read()
            await backend.store_time.read()

    with PgBouncer(postgres_url, settings={"default_pool_size": 1}) as pooler:
        asyncio.run(scenario(pooler))


def test_serialization_failures_are_repeated(url: str, pooled: str) -> None:
    async def scenario(backend: SqlBackend) -> None:
        job, draws = a_job(), Draws()
        await added(backend, job)
        repository = SqlJobRepository(observed(backend, draws), backend.telemetry)
        async with row_lock(url, job):
            write = asyncio.create_task(repository.apply([started(job)]))
            await blocked_backend(url)
        assert await write == {job.id}
        assert draws.count == 1

    play(SqlBackend(pooled, isolation=Isolation.SERIALIZABLE), scenario)


def test_refusals_are_what_they_are_on_a_connection_of_the_servers_and_cost_no_connection(pooled: str) -> None:
    async def scenario(backend: SqlBackend) -> None:
        job = a_job()
        await added(backend, job)
        async with backend.pool.connection(5.0) as connection:
            client_port = connection.fileno()
        with pytest.raises(DuplicateJobsError):
            await added(backend, a_job(), job)
        with pytest.raises(StoreRejectedError):
            await backend.repository.add_all([a_new_job(a_job(), '"\0"')])
        with pytest.raises(StoreRejectedError):
            await backend.transactions.execute(b"SELECT 1 / (SELECT 0::INT8)")
        async with backend.pool.connection(5.0) as connection:
            assert connection.fileno() == client_port
        assert list(await backend.repository.load([job.id])) == [job.id]

    play(SqlBackend(pooled, max_connections=1), scenario)


def test_a_commit_whose_reply_was_lost_is_repeated_and_stored_once(url: str, pgbouncer: PgBouncer) -> None:
    async def scenario() -> None:
        async with (
            FaultProxy("127.0.0.1", pgbouncer.port) as proxy,
            SqlBackend(at_port(pgbouncer.url(url), proxy.port)) as backend,
        ):
            job = a_job()
            await added(backend, job)
            start = a_change(job, job.start(a_worker_id(), NOW))
            await backend.repository.apply([start])
            running = start.stored_job
            done = a_change(running, running.succeed(NOW + SECOND), result="[1]")
            proxy.lose_reply_to(b"COMMIT")

            assert await backend.repository.apply([done]) == {job.id}

            assert proxy.lost_replies == 1
            assert len(await backend.reader.attempts(job.id) or ()) == 1
            proxy.lose_reply_to(b"COMMIT")
            new = a_new_job()
            with pytest.raises(DuplicateJobsError):
                await backend.repository.add_all([new])
            [taken] = await backend.repository.find_taken([new.job.id], [])
            assert taken.created_op_id == new.job.op_id

    asyncio.run(scenario())


def test_a_session_that_the_server_ends_under_a_statement_is_replaced(url: str, pooled: str) -> None:
    async def scenario(backend: SqlBackend) -> None:
        job, draws = a_job(), Draws()
        await added(backend, job)
        repository = SqlJobRepository(observed(backend, draws), backend.telemetry)
        async with row_lock(url, job):
            write = asyncio.create_task(repository.apply([started(job)]))
            execute(url, f"SELECT pg_terminate_backend({await blocked_backend(url)})")
            await draws.first.wait()
        assert await write == {job.id}

    play(SqlBackend(pooled), scenario)


def test_db_tx_takes_each_effect_once(postgres_url: str, pgbouncer: PgBouncer) -> None:
    target = db_tx.a_target_of(postgres_url)
    jobs = [db_tx.Job(payload=db_tx.named("add")) for _ in range(20)]
    statements = {"add": "UPDATE accounts SET balance = balance + 1 WHERE id = 1"}

    async def scenario(attempts: db_tx.Attempts) -> None:
        for _ in range(2):
            assert set(await asyncio.gather(*(attempts.run(job) for job in jobs))) == {1}

    db_tx.play(pgbouncer.url(target.url), scenario, size=2 * POOL_SIZE, statements=statements)

    assert target.balances()[1] == 100 + len(jobs)


def test_a_pooler_that_is_restarted_costs_no_write(postgres_url: str) -> None:
    url = create_database(postgres_url)

    async def scenario(pooler: PgBouncer) -> None:
        async with SqlBackend(pooler.url(url)) as backend:
            await added(backend, a_job())
            pooler.stop()
            await asyncio.to_thread(pooler.start)
            await added(backend, a_job())
            assert scalar(url, "SELECT count(*) FROM jobs") == 2

    with PgBouncer(postgres_url) as pooler:
        asyncio.run(scenario(pooler))


async def seconds_of(work: Awaitable[object]) -> float:
    began = time.monotonic()
    await work
    return time.monotonic() - began


def at_port(url: str, port: int) -> str:
    return make_conninfo("", **{**conninfo_to_dict(url), "port": port})
