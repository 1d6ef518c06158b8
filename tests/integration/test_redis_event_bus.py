"""Pub/sub on a real server: what is heard, and how a lost connection is noticed."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from scheduler.adapters.embedded import EmbeddedValkey
from scheduler.adapters.redis import subscription as subscriptions
from scheduler.adapters.redis.subscription import RedisSubscription
from scheduler.application.deadline import time_limit
from scheduler.application.errors import QueueUnavailableError
from scheduler.application.ports.event_bus import Subscription
from scheduler.domain.events import AttemptRevoked, Event, JobChanged, WorkArrived
from scheduler.domain.ids import AttemptId, Fence, JobId
from scheduler.domain.state import JobState
from tests.support.builders import a_job_id, a_worker_id
from tests.support.redis import RedisBackend, eventually, run_on

pytestmark = pytest.mark.servers


def changed(job_id: JobId, version: int = 2) -> JobChanged:
    return JobChanged(job_id=job_id, version=version, state=JobState.RUNNING, attempts=1)


async def take(subscription: Subscription, count: int) -> Sequence[Event]:
    heard: list[Event] = []
    async with asyncio.timeout(30):
        async for event in subscription.events():
            heard.append(event)
            if len(heard) == count:
                break
    return heard


def test_a_listener_hears_what_it_asked_for_and_nothing_else(redis_url: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        me, mine, dropped = a_worker_id(), a_job_id(), a_job_id()
        stop = AttemptRevoked(worker_id=me, attempt_id=AttemptId(a_job_id(), Fence(3)))
        others = AttemptRevoked(worker_id=a_worker_id(), attempt_id=stop.attempt_id)
        async with redis.bus.subscribe(worker_id=me) as subscription:
            await subscription.watch_jobs([mine, dropped])
            await subscription.unwatch_jobs([dropped])
            await redis.bus.publish([WorkArrived(), others, changed(a_job_id()), changed(dropped), changed(mine), stop])
            assert await take(subscription, 2) == [changed(mine), stop]

    run_on(redis_url, scenario)


def test_thousands_of_jobs_are_watched_over_one_connection(redis_url: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        jobs = [a_job_id() for _ in range(2500)]
        async with redis.bus.subscribe() as subscription:
            await subscription.watch_jobs(jobs)
            await redis.bus.publish([changed(job) for job in jobs])
            assert await take(subscription, len(jobs)) == [changed(job) for job in jobs]
            await subscription.unwatch_jobs(jobs)
            assert await redis.raw.pubsub_numsub(redis.keys.job(jobs[0])) == [(redis.keys.job(jobs[0]).encode(), 0)]

    run_on(redis_url, scenario)


def test_to_watch_and_unwatch_nothing_changes_nothing(redis_url: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        async with redis.bus.subscribe(work=True) as subscription:
            await subscription.watch_jobs([])
            await subscription.unwatch_jobs([])
            await redis.bus.publish([])
            await redis.bus.publish([WorkArrived()])
            assert await take(subscription, 1) == [WorkArrived()]

    run_on(redis_url, scenario)


def test_messages_from_strangers_are_passed_over(redis_url: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        job = a_job_id()
        async with redis.bus.subscribe() as subscription:
            await subscription.watch_jobs([job])
            for message in (b"", b"\xff", b"2 DREAMING 1", b"x" * 100_000):
                await redis.raw.publish(redis.keys.job(job), message)
            await redis.bus.publish([changed(job)])
            assert await take(subscription, 1) == [changed(job)]

    run_on(redis_url, scenario)


def test_a_listener_that_waits_is_told_when_the_connection_is_cut(redis_url: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        async with redis.bus.subscribe(work=True) as subscription:
            await redis.raw.client_kill_filter(_type="pubsub")
            with pytest.raises(QueueUnavailableError, match="Redis cannot be reached"):
                await take(subscription, 1)
            with pytest.raises(QueueUnavailableError):
                await subscription.watch_jobs([a_job_id()])

        async with redis.bus.subscribe(work=True) as again:
            await redis.bus.publish([WorkArrived()])
            assert await take(again, 1) == [WorkArrived()]

    run_on(redis_url, scenario)


def test_what_was_heard_before_the_cut_is_still_told(redis_url: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        async with redis.bus.subscribe(work=True) as subscription:
            await redis.bus.publish([WorkArrived()])
            await redis.raw.client_kill_filter(_type="pubsub")
            assert await take(subscription, 1) == [WorkArrived()]
            with pytest.raises(QueueUnavailableError):
                await take(subscription, 1)

    run_on(redis_url, scenario)


def test_a_quiet_connection_stays(redis_url: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        async with redis.bus.subscribe(work=True) as subscription:
            before = await pings(redis)
            await eventually(lambda: has_pinged(redis, before + 3))
            await redis.bus.publish([WorkArrived()])
            assert await take(subscription, 1) == [WorkArrived()]

    run_on(redis_url, scenario, quiet_seconds=0.05)


def test_a_server_that_answers_nothing_any_more_is_noticed(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as server:

        async def scenario(redis: RedisBackend) -> None:
            async with redis.bus.subscribe(work=True) as subscription:
                server.freeze()
                try:
                    with pytest.raises(QueueUnavailableError, match="does not answer in time"):
                        await take(subscription, 1)
                finally:
                    server.thaw()

        run_on(server.url, scenario, quiet_seconds=0.2)


def test_a_listener_that_falls_far_behind_must_begin_anew(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "MAX_UNHEARD", 10)

    async def scenario(redis: RedisBackend) -> None:
        async with redis.bus.subscribe(work=True) as subscription:
            await redis.bus.publish([WorkArrived()] * 11)
            with pytest.raises(QueueUnavailableError, match="10 messages behind"):
                await take(subscription, 12)

    run_on(redis_url, scenario)


def test_a_cancelled_listener_leaves_no_connection_behind(redis_url: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        listening = asyncio.Event()

        async def listen() -> None:
            async with redis.bus.subscribe(work=True) as subscription:
                listening.set()
                await take(subscription, 1)

        task = asyncio.create_task(listen())
        await listening.wait()
        assert await subscribers(redis) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await eventually(lambda: has_no_subscribers(redis))

    run_on(redis_url, scenario)


def test_a_listener_in_another_task_is_told_when_the_subscription_is_closed(redis_url: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        async with redis.bus.subscribe(work=True) as subscription:
            listener = asyncio.create_task(take(subscription, 1))
            await asyncio.sleep(0)
        with pytest.raises(QueueUnavailableError, match="closed"):
            await listener

    run_on(redis_url, scenario)


def test_a_watch_that_is_not_confirmed_in_time_fails(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as server:

        async def scenario(redis: RedisBackend) -> None:
            async with redis.bus.subscribe() as subscription:
                server.freeze()
                try:
                    with time_limit(0.2), pytest.raises(QueueUnavailableError, match="does not answer in time"):
                        await subscription.watch_jobs([a_job_id()])
                finally:
                    server.thaw()

        run_on(server.url, scenario)


@pytest.mark.parametrize("is_reading", [False, True])
def test_a_closed_connection_is_never_opened_again_behind_the_listeners_back(
    redis_url: str,
    is_reading: bool,  # noqa: FBT001 - a parameter of pytest's
) -> None:
    async def scenario(redis: RedisBackend) -> None:
        connection = await redis.server.connect()
        subscription = RedisSubscription(connection, redis.keys, quiet_seconds=0.01)
        await connection.disconnect()
        if is_reading:
            await subscription.read()
        with pytest.raises(QueueUnavailableError, match="cannot be reached"):
            await subscription.watch_jobs([a_job_id()])
        assert not connection.is_connected

    run_on(redis_url, scenario)


async def subscribers(redis: RedisBackend) -> int:
    [(_, count)] = await redis.raw.pubsub_numsub(redis.keys.wake)
    return int(count)


async def has_no_subscribers(redis: RedisBackend) -> bool:
    return await subscribers(redis) == 0


async def has_pinged(redis: RedisBackend, times: int) -> bool:
    return await pings(redis) >= times


async def pings(redis: RedisBackend) -> int:
    stats = await redis.raw.info("commandstats")
    return int(stats.get("cmdstat_ping", {}).get("calls", 0))


def test_a_listener_that_is_cancelled_while_it_subscribes_always_ends(redis_url: str) -> None:
    async def listen(redis: RedisBackend) -> None:
        async with redis.bus.subscribe(work=True) as subscription:
            async for _ in subscription.events():
                pass

    async def scenario(redis: RedisBackend) -> None:
        for step in range(500):  # each a little further into the subscription
            listening = asyncio.create_task(listen(redis))
            for _ in range(step):
                await asyncio.sleep(0)
            listening.cancel()
            async with asyncio.timeout(10):
                await asyncio.wait([listening])
            assert listening.cancelled()

    run_on(redis_url, scenario)
