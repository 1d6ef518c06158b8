"""What becomes of a statement that fails, each failure provoked on a real server."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from scheduler.adapters.cockroach import Isolation, SqlJobRepository, StoreSettings
from scheduler.application.deadline import time_limit
from scheduler.application.dto import Change
from scheduler.application.errors import DuplicateJobsError, StoreRejectedError, StoreUnavailableError
from scheduler.domain.ids import JobId
from scheduler.domain.job import Job
from tests.integration.cockroach_tools import Draws, added, blocked_backend, bystander, observed, row_lock, scalar
from tests.support.builders import NOW, a_change, a_job, a_new_job, a_worker_id
from tests.support.sql import SqlBackend, create_database, execute

pytestmark = pytest.mark.servers

Scenario = Callable[[SqlBackend], Coroutine[object, object, None]]
ISOLATIONS = [Isolation.READ_COMMITTED, Isolation.SERIALIZABLE]


@pytest.fixture(scope="module")
def url(postgres_url: str) -> str:
    return create_database(postgres_url)


def play(backend: SqlBackend, scenario: Scenario) -> None:
    async def opened() -> None:
        async with backend:
            await scenario(backend)

    asyncio.run(opened())


def started(job: Job) -> Change:
    return a_change(job, job.start(a_worker_id(), NOW))


def applying(backend: SqlBackend, draws: Draws, *changes: Change) -> asyncio.Task[frozenset[JobId]]:
    repository = SqlJobRepository(observed(backend, draws), backend.telemetry)
    return asyncio.create_task(repository.apply(changes))


def test_serialization_failures_are_repeated(url: str) -> None:
    async def scenario(backend: SqlBackend) -> None:
        job, draws = a_job(), Draws()
        await added(backend, job)
        async with row_lock(url, job):
            write = applying(backend, draws, started(job))
            await blocked_backend(url)
        assert await write == {job.id}
        assert draws.count == 1

    play(SqlBackend(url, isolation=Isolation.SERIALIZABLE), scenario)


def test_at_read_committed_a_concurrent_update_needs_no_repetition(url: str) -> None:
    async def scenario(backend: SqlBackend) -> None:
        job, draws = a_job(), Draws()
        await added(backend, job)
        async with row_lock(url, job):
            write = applying(backend, draws, started(job))
            await blocked_backend(url)
        assert await write == {job.id}
        assert draws.count == 0

    play(SqlBackend(url, isolation=Isolation.READ_COMMITTED), scenario)


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_deadlock_victims_are_repeated(url: str, isolation: Isolation) -> None:
    async def scenario(backend: SqlBackend) -> None:
        first, second = sorted((a_job(), a_job()), key=lambda job: job.id)
        draws = Draws()
        await added(backend, first, second)
        async with row_lock(url, second) as other:
            await other.execute("SET LOCAL deadlock_timeout = '60s'")  # so that the victim is the other side
            write = applying(backend, draws, started(first), started(second))
            await blocked_backend(url)
            await other.execute("UPDATE jobs SET updated_at = updated_at WHERE id = %s", (first.id,))
        assert await write == {first.id, second.id}
        assert draws.count >= 1

    play(SqlBackend(url, isolation=isolation), scenario)


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_of_concurrent_writers_of_one_version_exactly_one_wins(url: str, isolation: Isolation) -> None:
    async def scenario(backend: SqlBackend) -> None:
        jobs = [a_job() for _ in range(30)]
        await added(backend, *jobs)
        batches = [[started(job) for job in jobs] for _ in range(6)]
        wins = await asyncio.gather(*(backend.repository.apply(batch) for batch in batches))
        assert sorted(job_id for win in wins for job_id in win) == sorted(job.id for job in jobs)
        assert {job.version for job in (await backend.repository.load([job.id for job in jobs])).values()} == {2}

    play(SqlBackend(url, isolation=isolation), scenario)


def test_a_backend_that_is_terminated_under_a_statement_is_replaced(url: str) -> None:
    async def scenario(backend: SqlBackend) -> None:
        job, draws = a_job(), Draws()
        await added(backend, job)
        async with row_lock(url, job):
            write = applying(backend, draws, started(job))
            pid = await blocked_backend(url)
            async with bystander(url) as other:
                await other.execute("SELECT pg_terminate_backend(%s)", (pid,))
            await draws.first.wait()
        assert await write == {job.id}

    play(SqlBackend(url), scenario)


def test_connections_that_the_server_closed_while_idle_cost_no_repetition(url: str) -> None:
    async def scenario(backend: SqlBackend) -> None:
        draws = Draws()
        transactions = observed(backend, draws)
        await asyncio.gather(*(transactions.run("read_time") for _ in range(8)))
        async with bystander(url) as other:
            await other.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE application_name = 'scheduler' AND datname = current_database()"
            )
        await asyncio.gather(*(transactions.run("read_time") for _ in range(8)))
        assert draws.count == 0

    play(SqlBackend(url), scenario)


def test_a_statement_that_takes_too_long_is_ended_by_the_server(url: str) -> None:
    backend = SqlBackend(url, statement_timeout=timedelta(milliseconds=200))

    async def scenario(backend: SqlBackend) -> None:
        job = a_job()
        await added(backend, job)
        async with row_lock(url, job):
            with pytest.raises(StoreUnavailableError, match="57014"):
                await backend.repository.apply([started(job)])
        assert (await backend.repository.load([job.id]))[job.id].version == 1

    play(backend, scenario)


def test_a_statement_ends_with_the_callers_deadline_and_leaves_no_trace_on_the_server(url: str) -> None:
    async def scenario(backend: SqlBackend) -> None:
        job = a_job()
        await added(backend, job)
        async with row_lock(url, job):
            with time_limit(0.3), pytest.raises(StoreUnavailableError, match="deadline"):
                await backend.repository.apply([started(job)])
            async with bystander(url) as other:
                waiting = await other.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
                assert await waiting.fetchone() == (0,)
        assert (await backend.repository.load([job.id]))[job.id].version == 1

    play(SqlBackend(url, max_connections=1), scenario)


def test_without_time_left_nothing_is_sent(url: str) -> None:
    async def scenario(backend: SqlBackend) -> None:
        job = a_job()
        with time_limit(0.0), pytest.raises(StoreUnavailableError):
            await backend.repository.add_all([a_new_job(job)])
        assert await backend.repository.load([job.id]) == {}

    play(SqlBackend(url), scenario)


def test_a_cancelled_statement_gives_its_connection_back(url: str) -> None:
    async def scenario(backend: SqlBackend) -> None:
        job = a_job()
        await added(backend, job)
        for _ in range(5):
            async with row_lock(url, job):
                write = asyncio.create_task(backend.repository.apply([started(job)]))
                waiting = asyncio.create_task(backend.repository.load([job.id]))  # for the only connection
                await blocked_backend(url)
                write.cancel()
                waiting.cancel()
                results = await asyncio.gather(write, waiting, return_exceptions=True)
                assert [type(result) for result in results] == [asyncio.CancelledError] * 2
            assert (await backend.repository.load([job.id]))[job.id] == job

    play(SqlBackend(url, max_connections=1), scenario)


@pytest.mark.parametrize("steps", range(0, 40, 3))
def test_a_statement_can_be_cancelled_at_any_moment(url: str, steps: int) -> None:
    async def scenario(backend: SqlBackend) -> None:
        for _ in range(4):
            read = asyncio.create_task(backend.store_time.read())
            for _ in range(steps):
                await asyncio.sleep(0)
            read.cancel()
            await asyncio.gather(read, return_exceptions=True)
        await asyncio.gather(*(backend.store_time.read() for _ in range(4)))

    play(SqlBackend(url, max_connections=2), scenario)


@pytest.mark.parametrize("payload", ['"\0"', '"\ud800"'], ids=["NUL", "a lone surrogate"])
def test_text_that_no_store_can_hold_is_rejected(url: str, payload: str) -> None:
    async def scenario(backend: SqlBackend) -> None:
        job = a_job()
        with pytest.raises(StoreRejectedError):
            await backend.repository.add_all([a_new_job(job, payload), a_new_job()])
        assert await backend.repository.load([job.id]) == {}

    play(SqlBackend(url), scenario)


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(b"SELECT 1 / (SELECT 0::INT8)", id="data exception"),
        pytest.param(b"INSERT INTO workers (id) VALUES (NULL)", id="integrity constraint"),
        pytest.param(b"SELECT repeat('x', 1073741823) || 'x'", id="program limit"),
    ],
)
def test_what_the_store_refuses_for_good_is_rejected_at_once(url: str, statement: bytes) -> None:
    async def scenario(backend: SqlBackend) -> None:
        draws = Draws()
        with pytest.raises(StoreRejectedError) as refused:
            await observed(backend, draws).execute(statement)
        assert isinstance(refused.value.__cause__, psycopg.Error)
        assert draws.count == 0

    play(SqlBackend(url), scenario)


@pytest.mark.parametrize("statement", [b"SELEKT 1", b"SELECT a_function_of_tomorrow()", b"SELECT 1 + 'x'::TEXT"])
def test_a_statement_that_does_not_fit_the_store_is_no_refusal_of_data(url: str, statement: bytes) -> None:
    async def scenario(backend: SqlBackend) -> None:
        draws = Draws()
        with pytest.raises(StoreUnavailableError, match="42"):
            await observed(backend, draws).execute(statement)
        assert draws.count == 0

    play(SqlBackend(url), scenario)


def test_sessions_that_the_server_ends_when_they_idle_cost_the_caller_nothing(postgres_url: str) -> None:
    url = create_database(postgres_url)
    execute(url, f"ALTER DATABASE {conninfo_to_dict(url)['dbname']} SET idle_session_timeout = '200ms'")

    async def scenario(backend: SqlBackend) -> None:
        for _ in range(5):
            await backend.store_time.read()
            await asyncio.sleep(0.2)  # so that some statements meet the end of their session

    play(SqlBackend(url, max_connections=2), scenario)


def test_a_taken_id_is_a_duplicate(url: str) -> None:
    async def scenario(backend: SqlBackend) -> None:
        job = a_job()
        await added(backend, job)
        with pytest.raises(DuplicateJobsError):
            await added(backend, a_job(), job)

    play(SqlBackend(url), scenario)


def test_a_plan_that_no_longer_fits_is_made_anew(url: str) -> None:
    async def scenario(backend: SqlBackend) -> None:
        draws = Draws()
        transactions = observed(backend, draws)
        await backend.execute("CREATE TABLE IF NOT EXISTS shape (a INT4)", "INSERT INTO shape VALUES (7)")
        for _ in range(8):  # more often than it takes to be prepared
            assert await transactions.execute(b"SELECT a FROM shape") == [(7,)]
        execute(url, "ALTER TABLE shape ALTER COLUMN a TYPE TEXT")
        assert await transactions.execute(b"SELECT a FROM shape") == [("7",)]
        assert draws.count == 1

    play(SqlBackend(url, max_connections=1), scenario)


def test_a_server_that_became_read_only_is_left(url: str) -> None:
    async def scenario(backend: SqlBackend) -> None:
        draws = Draws()
        await backend.execute("SET default_transaction_read_only = on")
        job = a_job()
        await SqlJobRepository(observed(backend, draws), backend.telemetry).add_all([a_new_job(job)])
        assert draws.count == 1
        assert scalar(url, "SELECT count(*) FROM jobs WHERE id = %s", job.id) == 1

    play(SqlBackend(url, max_connections=1), scenario)


@pytest.mark.parametrize(
    ("isolation", "level"),
    [
        (Isolation.AUTO, "read committed"),
        (Isolation.READ_COMMITTED, "read committed"),
        (Isolation.SERIALIZABLE, "serializable"),
    ],
)
def test_each_connection_has_the_isolation_level_and_the_limits_that_were_asked_for(
    url: str, isolation: Isolation, level: str
) -> None:
    async def scenario(backend: SqlBackend) -> None:
        query = (
            b"SELECT current_setting('transaction_isolation'), current_setting('statement_timeout'),"
            b" current_setting('timezone'), current_setting('application_name')"
        )
        rows = await asyncio.gather(*(backend.transactions.execute(query) for _ in range(5)))
        assert {tuple(row) for [row] in rows} == {(level, "5s", "UTC", "scheduler")}

    play(SqlBackend(url, isolation=isolation), scenario)


def test_the_address_may_set_its_own_limits(url: str) -> None:
    settings = StoreSettings(url=f"{url}?connect_timeout=7")
    assert "connect_timeout=7" in settings.conninfo()
    assert "tcp_user_timeout=3000" in settings.conninfo()
