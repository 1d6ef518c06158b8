"""The connections to a target: opened late, kept clean, bounded, and given up when an attempt is."""

import asyncio
import resource
from collections.abc import Iterator

import pytest

from scheduler.adapters.handlers.db_tx import Connections, TargetAddressError, create_effects
from scheduler.adapters.handlers.db_tx.outcome import TargetError
from tests.acceptance.operations import eventually as soon
from tests.integration.db_tx_tools import Attempts, Job, Target, make_target, named, play, query
from tests.support.backends import eventually
from tests.support.sql import create_database, execute

pytestmark = pytest.mark.servers
SESSIONS = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'scheduler db_tx'"
SLEEP = "SELECT pg_sleep(600)"


@pytest.fixture
def target(db_tx_target: Target) -> Iterator[Target]:
    db_tx_target.reset()
    yield db_tx_target
    _until_sessions(db_tx_target, 0)


def _sessions(target: Target) -> int:
    """Count the worker's sessions; those that were closed may still be on their way out."""
    count = target.value(f"SELECT count(*) {SESSIONS}")
    assert isinstance(count, int)
    return count


def _until_sessions(target: Target, count: int) -> None:
    soon(lambda: _sessions(target) == count)


async def _until_sleeping(target: Target, statements: int) -> None:
    def sleeping() -> object:
        return target.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")

    async def is_so() -> bool:
        return await asyncio.to_thread(sleeping) == statements

    await eventually(is_so, f"{statements} statements sleep")


def test_no_connection_is_opened_before_a_job_needs_one_and_then_it_is_kept(target: Target) -> None:
    async def scenario(attempts: Attempts) -> list[int]:
        counts = [_sessions(target)]
        for _ in range(3):
            await attempts.run(Job(payload=query("SELECT 1")))
            counts.append(_sessions(target))
        return counts

    assert play(target.url, scenario) == [0, 1, 1, 1]


def test_no_more_connections_are_opened_than_allowed_and_jobs_wait_for_their_turn(target: Target) -> None:
    async def scenario(attempts: Attempts) -> None:
        running = [asyncio.create_task(attempts.run(Job(payload=query(SLEEP)))) for _ in range(2)]
        await _until_sleeping(target, 2)
        waiting = asyncio.create_task(attempts.run(Job(payload=query("SELECT 1"))))
        await asyncio.sleep(0)
        assert _sessions(target) == 2
        running[0].cancel()
        assert await waiting == 1
        running[1].cancel()
        await asyncio.wait(running)

    play(target.url, scenario, size=2)


def test_a_job_finds_nothing_of_the_one_before_it(target: Target) -> None:
    dirty = (
        "SELECT set_config('statement_timeout', '1', false), set_config('app.tenant', '7', false)",
        "SELECT set_config('timezone', 'Asia/Tokyo', false), pg_advisory_lock(4711)",
        "DO $$ BEGIN CREATE TEMP TABLE accounts (id INT8); END $$",
        "SELECT nothing",
        "SELECT set_config('role', 'pg_monitor', true)",
    )
    clean = (
        "SELECT 1 WHERE current_setting('app.tenant', true) IS DISTINCT FROM '7'"
        " AND current_setting('timezone') <> 'Asia/Tokyo' AND current_user = session_user"
        " AND NOT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory')"
        " AND (SELECT count(*) FROM accounts) = 3"
    )

    async def scenario(attempts: Attempts) -> None:
        for statement in dirty:
            await asyncio.gather(attempts.run(Job(payload=named(statement))), return_exceptions=True)
            assert await attempts.run(Job(payload=named(clean))) == 1
            assert _sessions(target) == 1

    play(target.url, scenario, size=1, statements={text: text for text in (*dirty, clean)})


def test_a_cancelled_attempt_stops_on_the_server_and_leaves_no_trace_nor_keeps_its_connection(target: Target) -> None:
    job = Job(payload=query(f"WITH a AS (UPDATE accounts SET balance = 0) {SLEEP}"))

    async def scenario(attempts: Attempts) -> None:
        running = asyncio.create_task(attempts.run(job))
        await _until_sleeping(target, 1)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await _until_sleeping(target, 0)
        assert await attempts.run(Job(payload=query("SELECT 1"))) == 1

    play(target.url, scenario, size=1)
    assert target.balances() == {1: 100, 2: 100, 3: 100}
    assert target.effects(job.id) == []


def test_the_server_ends_by_itself_what_runs_past_the_deadline(target: Target) -> None:
    job = Job(payload=query(SLEEP))

    with pytest.raises(TargetError, match=r"statement timeout \[57014\]"):
        play(target.url, lambda attempts: attempts.run(job, seconds=0.2))
    assert target.effects(job.id) == []


def test_every_limit_of_the_transaction_comes_from_the_deadline(target: Target) -> None:
    limits = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    condition = " AND ".join(f"current_setting('{limit}')::INTERVAL BETWEEN $1 AND $2" for limit in limits)
    job = Job(payload=query(f"SELECT 1 WHERE {condition}", "20 s", "31 s"))

    assert play(target.url, lambda attempts: attempts.run(job, seconds=30)) == 1


def test_the_isolation_level_is_serializable(target: Target) -> None:
    job = Job(payload=query("SELECT 1 WHERE current_setting('transaction_isolation') = 'serializable'"))

    assert play(target.url, lambda attempts: attempts.run(job)) == 1


def test_a_connection_that_the_server_closed_meanwhile_costs_no_attempt(target: Target) -> None:
    async def scenario(attempts: Attempts) -> None:
        for _ in range(3):
            assert await attempts.run(Job(payload=query("SELECT 1"))) == 1
            target.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'scheduler db_tx'"
            )

    play(target.url, scenario)


def test_a_connection_that_is_closed_while_a_statement_runs_costs_the_attempt(target: Target) -> None:
    job = Job(payload=query(SLEEP))

    async def scenario(attempts: Attempts) -> None:
        running = asyncio.create_task(attempts.run(job))
        await _until_sleeping(target, 1)
        target.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
        with pytest.raises(TargetError, match="terminating connection"):
            await running

    play(target.url, scenario)
    assert target.effects(job.id) == []


def test_rows_that_a_statement_returns_do_not_fill_the_memory(target: Target) -> None:
    megabytes = 400
    job = Job(payload=query("SELECT repeat('x', 10000) FROM generate_series(1, $1)", megabytes * 100))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    assert play(target.url, lambda attempts: attempts.run(job, seconds=100)) == megabytes * 100

    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < megabytes / 4


def test_closed_connections_are_gone_and_one_that_was_lent_goes_when_it_comes_back(target: Target) -> None:
    async def scenario() -> None:
        connections = Connections(target.url, size=2)
        async with connections.lend():
            async with connections.lend():
                pass
            await connections.close()
            await asyncio.to_thread(_until_sessions, target, 1)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "url", ["nonsense", "postgresql://me:pass-of-mine@h/x?sslmod=off", "host=h port=pass-of-mine x"]
)
def test_an_address_that_cannot_be_read_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(TargetAddressError) as refusal:
        Connections(url, size=1)
    assert "pass-of" not in str(refusal.value)
    assert refusal.value.__suppress_context__


def test_the_tables_may_be_made_any_number_of_times_and_by_many_at_once(postgres_url: str) -> None:
    url = create_database(postgres_url)

    async def scenario() -> None:
        for _ in range(2):
            await asyncio.gather(*(create_effects(url) for _ in range(5)))

    asyncio.run(scenario())
    execute(url, "SELECT job_id FROM scheduler_effects", "SELECT job_id FROM scheduler_effect_rows")


def test_a_role_that_may_create_nothing_is_told_so(postgres_url: str) -> None:
    fresh = make_target(postgres_url)

    with pytest.raises(TargetError, match=r"scheduler_effects cannot be created: permission denied"):
        asyncio.run(create_effects(fresh.url))
