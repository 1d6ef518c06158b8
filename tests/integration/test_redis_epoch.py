"""Whether the loss of all data is noticed, however it comes about."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from scheduler.adapters.embedded import EmbeddedValkey
from tests.support.redis import RedisBackend, eventually, run_on

pytestmark = pytest.mark.servers


async def rebuild(redis: RedisBackend) -> bool:
    return await redis.epoch.finish_rebuild(await redis.epoch.begin_rebuild())


def test_an_empty_server_is_not_current_until_a_rebuild_is_finished(redis_url: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        assert await redis.epoch.current() is None
        token = await redis.epoch.begin_rebuild()
        assert await redis.epoch.current() is None
        assert await redis.epoch.finish_rebuild(token)
        assert await redis.epoch.current() is not None

    run_on(redis_url, scenario)


def test_a_flush_is_noticed(redis_url: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        await rebuild(redis)
        await redis.lose_data()
        assert await redis.epoch.current() is None

    run_on(redis_url, scenario)


def test_a_rebuild_that_was_begun_before_a_flush_does_not_count(redis_url: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        stale = await redis.epoch.begin_rebuild()
        await redis.lose_data()
        assert not await redis.epoch.finish_rebuild(stale)

        fresh = await redis.epoch.begin_rebuild()
        assert not await redis.epoch.finish_rebuild(stale)
        assert await redis.epoch.current() is None
        assert await redis.epoch.finish_rebuild(fresh)

    run_on(redis_url, scenario)


def test_rebuilds_side_by_side_both_finish(redis_url: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        first, second = await redis.epoch.begin_rebuild(), await redis.epoch.begin_rebuild()
        assert await redis.epoch.finish_rebuild(first)
        assert await redis.epoch.finish_rebuild(second)
        assert await redis.epoch.current() is not None

    run_on(redis_url, scenario)


def test_an_epoch_of_the_wrong_type_counts_as_lost(redis_url: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        await redis.raw.rpush(redis.keys.epoch, "a list")
        assert await redis.epoch.current() is None
        assert await rebuild(redis)

    run_on(redis_url, scenario)


def test_a_restart_is_noticed_although_the_data_were_kept(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as server:

        async def scenario(redis: RedisBackend) -> None:
            await rebuild(redis)
            mark = await redis.raw.get(redis.keys.epoch)
            server.restart()
            await eventually(lambda: answers(redis))
            await redis.raw.connection_pool.disconnect()
            assert await redis.raw.get(redis.keys.epoch) == mark
            assert await redis.epoch.current() is None

        run_on(server.url, scenario)


def test_a_rebuild_that_a_restart_interrupted_does_not_count(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as server:

        async def scenario(redis: RedisBackend) -> None:
            token = await redis.epoch.begin_rebuild()
            server.restart()
            await eventually(lambda: answers(redis))
            assert not await redis.epoch.finish_rebuild(token)
            assert await redis.epoch.begin_rebuild() != token

        run_on(server.url, scenario)


def test_a_failover_to_a_replica_and_back_to_the_demoted_primary_is_noticed(tmp_path: Path) -> None:
    at_once = {"repl-diskless-sync-delay": "0"}
    with EmbeddedValkey(tmp_path / "1", settings=at_once) as master, EmbeddedValkey(tmp_path / "2") as replica:

        async def scenario(redis: RedisBackend) -> None:
            await rebuild(redis)
            first = await redis.epoch.current()
            promoted = RedisBackend(replica.url, keys=redis.keys)
            await promoted.raw.config_set("masterauth", str(urlsplit(master.url).password))
            await promoted.raw.replicaof("127.0.0.1", master.port)
            await eventually(lambda: has_key(promoted, redis.keys.epoch))
            await promoted.raw.replicaof("NO", "ONE")
            assert await promoted.epoch.current() is None
            assert await rebuild(promoted)
            assert await promoted.epoch.current() != first
            assert await redis.epoch.current() == first  # it knows no better: only the other name tells
            await promoted.close()

        run_on(master.url, scenario)


async def answers(redis: RedisBackend) -> bool:
    return (await redis.health.check()).ok


async def has_key(redis: RedisBackend, key: str) -> bool:
    return bool(await redis.raw.exists(key))
