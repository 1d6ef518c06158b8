"""The server goes away and comes back, or never was there."""

import asyncio
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from scheduler.adapters.cockroach import ConnectionPool, SqlDependency, Statements, StoreLoginError, StoreSettings
from scheduler.adapters.embedded import EmbeddedPostgres
from scheduler.application.deadline import time_limit
from scheduler.application.dto import Change, NewJob
from scheduler.application.errors import DuplicateJobsError, StoreUnavailableError
from scheduler.domain.job import Job
from tests.integration.cockroach_tools import DEADLINE_SECONDS, scalar
from tests.support.builders import NOW, a_change, a_job, a_new_job, a_worker_id
from tests.support.proxy import FaultProxy
from tests.support.sql import SqlBackend

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A server of our own, to be stopped and started."""
    directory = tmp_path_factory.mktemp("fragile")
    with EmbeddedPostgres(directory, settings={"fsync": "off"}) as running:
        yield running


@pytest.fixture(autouse=True)
def _server_runs(server: EmbeddedPostgres) -> None:
    server.start()


def url_with(server: EmbeddedPostgres, **changes: str | int) -> str:
    return make_conninfo("", **{**conninfo_to_dict(server.url), **changes})


def why_it_does_not_open(url: str) -> StoreUnavailableError:
    async def scenario() -> StoreUnavailableError:
        pool = ConnectionPool(StoreSettings(url=url), Statements())
        with pytest.raises(StoreUnavailableError) as refused:
            await pool.open()
        await pool.close()
        return refused.value

    error = asyncio.run(scenario())
    assert "\n" not in str(error)
    for password in re.findall("(?:password=|scheduler:)([^ @]+)", url):
        assert password not in str(error)
    return error


async def eventually_answers(backend: SqlBackend) -> None:
    give_up = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            await backend.store_time.read()
        except StoreUnavailableError:
            assert time.monotonic() < give_up, "the store never came back"
            await asyncio.sleep(0.01)
        else:
            return


def test_a_wrong_password_is_named_in_one_line(server: EmbeddedPostgres) -> None:
    error = why_it_does_not_open(url_with(server, password="wrong"))
    assert isinstance(error, StoreLoginError)
    assert "password authentication failed" in str(error)


def test_a_missing_database_is_named_in_one_line(server: EmbeddedPostgres) -> None:
    error = why_it_does_not_open(url_with(server, dbname="nowhere"))
    assert isinstance(error, StoreLoginError)
    assert 'database "nowhere" does not exist' in str(error)


def test_a_port_where_nobody_listens_is_named_in_one_line(server: EmbeddedPostgres) -> None:
    server.stop()
    error = why_it_does_not_open(server.url)
    assert not isinstance(error, StoreLoginError)
    assert f"port {server.port} failed: Connection refused" in str(error)


@pytest.mark.parametrize("url", ["postgresql://scheduler:secret@[host/x", "mysql://x", "host"])
def test_an_address_that_cannot_be_read_is_refused_without_being_repeated(url: str) -> None:
    error = why_it_does_not_open(url)
    assert isinstance(error, StoreLoginError)
    assert "secret" not in str(error)


def test_a_server_that_accepts_and_is_silent_does_not_hang_the_start(server: EmbeddedPostgres) -> None:
    async def scenario() -> None:
        async with FaultProxy("127.0.0.1", server.port) as proxy:
            proxy.black_hole()
            pool = ConnectionPool(StoreSettings(url=url_with(server, port=proxy.port)), Statements())
            with pytest.raises(StoreUnavailableError, match="timeout"):
                await pool.open()

    asyncio.run(scenario())


def test_statements_fail_with_the_reason_while_the_server_is_down_and_work_again_when_it_is_back(
    server: EmbeddedPostgres,
) -> None:
    async def scenario() -> None:
        async with SqlBackend(server.url) as backend:
            await backend.store_time.read()
            await asyncio.to_thread(server.stop)
            with time_limit(60), pytest.raises(StoreUnavailableError, match="Connection refused"):
                await backend.store_time.read()
            health = await SqlDependency(backend.transactions).check()
            assert not health.ok
            assert "Connection refused" in health.detail
            await asyncio.to_thread(server.start)
            await eventually_answers(backend)

    asyncio.run(scenario())


def test_many_callers_all_learn_of_an_outage_and_all_are_served_after_it(server: EmbeddedPostgres) -> None:
    async def scenario() -> None:
        async with SqlBackend(server.url, max_connections=5) as backend:
            await asyncio.to_thread(server.kill)
            with time_limit(60):
                reads = (backend.store_time.read() for _ in range(50))
                results = await asyncio.gather(*reads, return_exceptions=True)
            assert {type(result) for result in results} == {StoreUnavailableError}
            await asyncio.to_thread(server.start)
            await eventually_answers(backend)
            await asyncio.gather(*(backend.store_time.read() for _ in range(50)))
            connections = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'scheduler'"
            assert scalar(server.url, connections) in range(1, 6)

    asyncio.run(scenario())


async def patiently_added(backend: SqlBackend, new: NewJob) -> None:
    while True:
        try:
            await backend.repository.add_all([new])
        except StoreUnavailableError:
            continue
        except DuplicateJobsError:
            [taken] = await backend.repository.find_taken([new.job.id], [])
            assert taken.created_op_id == new.job.op_id
        return


async def patiently_applied(backend: SqlBackend, change: Change) -> None:
    while True:
        with suppress(StoreUnavailableError):
            assert await backend.repository.apply([change]) == {change.job.id}
            return


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_writes_go_on_across_a_restart_of_the_server_and_each_is_stored_once(
    server: EmbeddedPostgres, end: str
) -> None:
    async def write(backend: SqlBackend, job: Job) -> None:
        start = a_change(job, job.start(a_worker_id(), NOW))
        await patiently_added(backend, a_new_job(job))
        await patiently_applied(backend, start)
        await patiently_applied(backend, a_change(start.stored_job, start.job.succeed(NOW)))

    async def scenario() -> None:
        async with SqlBackend(server.url) as backend:
            jobs = [a_job() for _ in range(300)]
            writes = [asyncio.create_task(write(backend, job)) for job in jobs]
            await asyncio.wait(writes, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.to_thread(getattr(server, end))
            await asyncio.to_thread(server.start)
            await asyncio.gather(*writes)
            stored = await backend.repository.load([job.id for job in jobs])
            assert [stored[job.id].version for job in jobs] == [3] * len(jobs)
            histories = [await backend.reader.attempts(job.id) for job in jobs]
            assert [len(history or ()) for history in histories] == [1] * len(jobs)

    asyncio.run(scenario())


def test_a_server_that_stands_still_costs_the_caller_no_more_than_its_deadline(server: EmbeddedPostgres) -> None:
    async def scenario() -> None:
        async with SqlBackend(server.url, max_connections=2) as backend:
            await backend.store_time.read()
            server.freeze()
            try:
                async with asyncio.timeout(DEADLINE_SECONDS):
                    with time_limit(0.3):
                        reads = (backend.store_time.read() for _ in range(4))
                        results = await asyncio.gather(*reads, return_exceptions=True)
            finally:
                server.thaw()
            assert {type(result) for result in results} == {StoreUnavailableError}
            await eventually_answers(backend)

    asyncio.run(scenario())


def test_a_health_check_of_a_server_that_stands_still_says_so_in_time(server: EmbeddedPostgres) -> None:
    async def scenario() -> None:
        async with SqlBackend(server.url) as backend:
            server.freeze()
            try:
                status = await SqlDependency(backend.transactions).check()
            finally:
                server.thaw()
            assert not status.ok
            assert status.latency < timedelta(seconds=DEADLINE_SECONDS)

    asyncio.run(scenario())


def test_a_closed_pool_says_so(server: EmbeddedPostgres) -> None:
    async def scenario() -> None:
        backend = SqlBackend(server.url)
        with pytest.raises(StoreUnavailableError, match="not open"):
            await backend.store_time.read()
        await backend.open()
        await backend.close()
        with pytest.raises(StoreUnavailableError, match="closed"):
            await backend.store_time.read()

    asyncio.run(scenario())
