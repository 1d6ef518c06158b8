"""A target that has gone silent: what a cancelled attempt still waits for."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.integration.db_tx_tools import Attempts, Job, Target, query, until_idle
from tests.support.backends import eventually
from tests.support.proxy import FaultProxy

pytestmark = pytest.mark.servers
END_SECONDS = 1.0
"""From the cancel until the attempt has ended: what users are promised."""
SLEEP = "SELECT pg_sleep(600)"
SESSIONS = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'scheduler db_tx'"
Scenario = Callable[[Attempts, FaultProxy], Coroutine[object, object, None]]


@pytest.fixture
def target(db_tx_target: Target) -> Iterator[Target]:
    db_tx_target.reset()
    yield db_tx_target
    # What the server could not be told to end.
    db_tx_target.rows(f"SELECT pg_terminate_backend(pid) {SESSIONS}")
    until_idle(db_tx_target)


def behind_a_proxy(target: Target, scenario: Scenario) -> None:
    async def with_proxy() -> None:
        address = conninfo_to_dict(target.url)
        async with FaultProxy(str(address["host"]), int(str(address["port"]))) as proxy:
            attempts = Attempts(make_conninfo("", **{**address, "port": proxy.port}), size=1)
            try:
                await scenario(attempts, proxy)
            finally:
                await attempts.handler.close()

    asyncio.run(with_proxy())


async def cancelled(running: "asyncio.Task[int]") -> float:
    """Cancel an attempt; return how many seconds it took to end."""
    began = time.monotonic()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    return time.monotonic() - began


async def until_running(target: Target) -> None:
    async def sleeping() -> bool:
        count = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        return await asyncio.to_thread(target.value, count) == 1

    await eventually(sleeping, "the statement runs")


def test_a_cancelled_attempt_ends_at_once_though_its_target_is_silent(target: Target) -> None:
    job = Job(payload=query(SLEEP))

    async def scenario(attempts: Attempts, proxy: FaultProxy) -> None:
        running = asyncio.create_task(attempts.run(job))
        await until_running(target)
        proxy.black_hole()
        assert await cancelled(running) < END_SECONDS
        proxy.heal()
        assert await attempts.run(Job(payload=query("SELECT 1"))) == 1

    behind_a_proxy(target, scenario)
    assert target.effects(job.id) == []


def test_a_cancelled_attempt_ends_at_once_though_only_the_answers_are_lost(target: Target) -> None:
    async def scenario(attempts: Attempts, proxy: FaultProxy) -> None:
        running = asyncio.create_task(attempts.run(Job(payload=query(SLEEP))))
        await until_running(target)
        proxy.drop_replies()
        assert await cancelled(running) < END_SECONDS

    behind_a_proxy(target, scenario)


def test_an_attempt_that_still_connects_ends_at_once(target: Target) -> None:
    async def scenario(attempts: Attempts, proxy: FaultProxy) -> None:
        proxy.black_hole()
        running = asyncio.create_task(attempts.run(Job(payload=query("SELECT 1"))))

        async def connecting() -> bool:
            return proxy.connections == 1

        await eventually(connecting, "it connects")
        assert await cancelled(running) < END_SECONDS

    behind_a_proxy(target, scenario)
