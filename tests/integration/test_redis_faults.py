"""Redis away, full, read-only, restarted: always one error of ours, soon, and all is well when it is back."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from scheduler.adapters.embedded import EmbeddedValkey
from scheduler.application.deadline import time_limit
from scheduler.application.dto import QueueEntry
from scheduler.application.errors import QueueUnavailableError
from scheduler.domain.priority import Priority, StrictOrder
from tests.support.builders import a_queue_entry
from tests.support.redis import RedisBackend, eventually, run_on

pytestmark = pytest.mark.servers

ENTRY = a_queue_entry(Priority.HIGH)
ALL = StrictOrder().plan(100, 0)
HAND_OUT = timedelta(seconds=10)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    """Start a server that only this test breaks."""
    with EmbeddedValkey(tmp_path) as running:
        yield running


def test_a_restart_in_use_is_told_once_and_survived(server: EmbeddedValkey) -> None:
    async def scenario(redis: RedisBackend) -> None:
        await redis.queue.enqueue_all([ENTRY])
        server.stop()
        with pytest.raises(QueueUnavailableError, match="Redis cannot be reached"):
            await redis.queue.claim(ALL, HAND_OUT)
        assert counts_as_away(redis)
        for _ in range(20):
            with pytest.raises(QueueUnavailableError):
                await redis.queue.claim(ALL, HAND_OUT)
        assert [event for event, _ in redis.telemetry.faults] == ["queue_unavailable"]
        assert redis.telemetry.degraded_parts == {"queue"}

        server.start()
        await eventually(lambda: takes(redis))
        assert not counts_as_away(redis)
        assert redis.telemetry.degraded_parts == set()
        assert await redis.queue.claim(ALL, HAND_OUT) == [ENTRY]

    run_on(server.url, scenario)


def test_all_pooled_connections_survive_a_restart(server: EmbeddedValkey) -> None:
    async def scenario(redis: RedisBackend) -> None:
        await asyncio.gather(*(redis.queue.enqueue_all([ENTRY]) for _ in range(50)))
        server.restart()
        await eventually(lambda: takes(redis))
        await asyncio.gather(*(redis.queue.enqueue_all([ENTRY]) for _ in range(50)))

    run_on(server.url, scenario)


def test_a_server_that_hangs_costs_one_call_its_wait_and_the_rest_nothing(server: EmbeddedValkey) -> None:
    async def scenario(redis: RedisBackend) -> None:
        await redis.queue.enqueue_all([ENTRY])
        server.freeze()
        try:
            with pytest.raises(QueueUnavailableError, match="does not answer in time"):
                await redis.queue.claim(ALL, HAND_OUT)
            # Another failure would replace the reason by its own, so each of these was refused unsent.
            assert set(await asyncio.gather(*(refusal(redis) for _ in range(100)))) == {"not tried"}
        finally:
            server.thaw()
        await eventually(lambda: takes(redis))

    run_on(server.url, scenario)


def test_a_call_ends_with_its_callers_time(server: EmbeddedValkey) -> None:
    async def scenario(redis: RedisBackend) -> None:
        await redis.queue.enqueue_all([ENTRY])
        server.freeze()
        try:
            with time_limit(0.1), pytest.raises(QueueUnavailableError, match="does not answer in time"):
                await redis.queue.claim(ALL, HAND_OUT)
            with time_limit(0.0), pytest.raises(QueueUnavailableError, match="no time is left"):
                await redis.queue.claim(ALL, HAND_OUT)
        finally:
            server.thaw()
        assert not counts_as_away(redis), "a caller in a hurry says nothing about the server"
        await redis.queue.enqueue_all([ENTRY])

    run_on(server.url, scenario)


def test_a_cancelled_call_leaves_the_next_one_its_own_reply(server: EmbeddedValkey) -> None:
    async def scenario(redis: RedisBackend) -> None:
        await redis.queue.enqueue_all([ENTRY])
        server.freeze()
        call = asyncio.create_task(redis.maintenance.depths())
        await asyncio.sleep(0.05)
        call.cancel()
        server.thaw()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await redis.queue.claim(ALL, HAND_OUT) == [ENTRY]

    run_on(server.url, scenario)


def test_a_wrong_password_is_told_in_one_line_without_the_password(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as server:

        async def scenario(redis: RedisBackend) -> None:
            with pytest.raises(QueueUnavailableError, match="Redis refuses the login") as failure:
                await redis.queue.enqueue_all([ENTRY])
            assert "\n" not in str(failure.value)
            assert "wrong-one" not in str(failure.value)
            assert counts_as_away(redis)

        run_on(re.sub(":[^:/@]+@", ":wrong-one@", server.url), scenario)


def test_a_missing_password_is_told(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as server:

        async def scenario(redis: RedisBackend) -> None:
            with pytest.raises(QueueUnavailableError, match="Redis refuses the login"):
                await redis.queue.enqueue_all([ENTRY])

        run_on(re.sub(":[^:/@]+@", "", server.url), scenario)


def test_a_full_server_counts_as_away_until_it_has_room(server: EmbeddedValkey) -> None:
    async def scenario(redis: RedisBackend) -> None:
        await redis.queue.enqueue_all([ENTRY])
        await redis.raw.config_set("maxmemory-policy", "noeviction")
        await redis.raw.config_set("maxmemory", "1")
        with pytest.raises(QueueUnavailableError, match="Redis is out of memory"):
            await redis.queue.enqueue_all([a_queue_entry()])
        assert counts_as_away(redis)
        assert not (await redis.health.check()).ok

        await redis.raw.config_set("maxmemory", "0")
        await eventually(lambda: takes(redis))

    run_on(server.url, scenario)


def test_a_full_server_loses_nothing_that_it_hands_out(server: EmbeddedValkey) -> None:
    async def scenario(redis: RedisBackend) -> None:
        await redis.queue.enqueue_all([ENTRY])
        await redis.raw.config_set("maxmemory", "1")
        claimed = await claim_if_possible(redis)
        await redis.raw.config_set("maxmemory", "0")
        await eventually(lambda: is_healthy(redis))
        depths = await redis.maintenance.depths()
        assert depths.processing == len(claimed)
        assert depths.queues[Priority.HIGH] == 1 - len(claimed)

    run_on(server.url, scenario)


def test_a_replica_counts_as_away(server: EmbeddedValkey) -> None:
    async def scenario(redis: RedisBackend) -> None:
        await redis.queue.enqueue_all([ENTRY])
        await redis.raw.replicaof("127.0.0.1", "1")
        with pytest.raises(QueueUnavailableError, match="Redis is a read-only replica"):
            await redis.queue.claim(ALL, HAND_OUT)
        await redis.raw.replicaof("NO", "ONE")
        await eventually(lambda: takes(redis))
        assert await redis.queue.claim(ALL, HAND_OUT) == [ENTRY]

    run_on(server.url, scenario)


def test_a_server_that_is_busy_with_a_script_counts_as_away_until_that_ends(server: EmbeddedValkey) -> None:
    async def scenario(redis: RedisBackend) -> None:
        await redis.queue.enqueue_all([ENTRY])
        await redis.raw.config_set("busy-reply-threshold", "10")
        async with asyncio.TaskGroup() as group:
            group.create_task(keep_busy(redis))
            await eventually(lambda: takes_not(redis))
            assert "busy with a script" in str(redis.telemetry.faults[0][1])
        await eventually(lambda: takes(redis))

    run_on(server.url, scenario)


def test_a_user_without_permission_is_told(server: EmbeddedValkey) -> None:
    async def scenario(redis: RedisBackend) -> None:
        await redis.raw.acl_setuser("reader", enabled=True, passwords=["+pw"], categories=["+@read"], keys=["*"])
        reader = RedisBackend(re.sub("//.*@", "//reader:pw@", server.url))
        with pytest.raises(QueueUnavailableError, match="Redis denies the permission"):
            await reader.queue.enqueue_all([ENTRY])
        with pytest.raises(QueueUnavailableError):
            async with reader.bus.subscribe(work=True):
                pass
        await reader.close()

    run_on(server.url, scenario)


def test_a_port_where_nobody_listens_is_told_by_every_port(server: EmbeddedValkey) -> None:
    url = server.url
    server.stop()

    async def scenario(redis: RedisBackend) -> None:
        with pytest.raises(QueueUnavailableError, match="cannot be reached"):
            await redis.epoch.current()
        with pytest.raises(QueueUnavailableError):
            async with redis.bus.subscribe(work=True):
                pass

    run_on(url, scenario)


async def takes(redis: RedisBackend) -> bool:
    try:
        await redis.queue.enqueue_all([ENTRY])
    except QueueUnavailableError:
        return False
    return True


def counts_as_away(redis: RedisBackend) -> bool:
    return redis.server.breaker.is_open


async def claim_if_possible(redis: RedisBackend) -> Sequence[QueueEntry]:
    try:
        return await redis.queue.claim(ALL, HAND_OUT)
    except QueueUnavailableError:
        return []


async def refusal(redis: RedisBackend) -> str:
    try:
        await redis.queue.claim(ALL, HAND_OUT)
    except QueueUnavailableError as error:
        return "not tried" if "not tried" in str(error) else str(error)
    return "claimed"


async def takes_not(redis: RedisBackend) -> bool:
    return not await takes(redis)


async def keep_busy(redis: RedisBackend) -> None:
    """Run a script for a second of its own CPU time."""
    await redis.raw.eval("local begun = os.clock() while os.clock() - begun < 1 do end", 0)


async def is_healthy(redis: RedisBackend) -> bool:
    return (await redis.health.check()).ok
