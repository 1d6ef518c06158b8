"""What only the real server can show: the shared contract is tested elsewhere, over every adapter."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from scheduler.application.dto import QueueEntry
from scheduler.domain.events import WorkArrived
from scheduler.domain.priority import Priority, StrictOrder, WeightedOrder
from tests.support.builders import MICROSECOND, NOW, a_queue_entry
from tests.support.redis import RedisBackend, run_on

pytestmark = pytest.mark.servers

HAND_OUT = timedelta(seconds=10)
ALL = StrictOrder().plan(5000, 0)


def entries_of(priority: Priority, count: int) -> list[QueueEntry]:
    return [a_queue_entry(priority, NOW + index * MICROSECOND) for index in range(count)]


def test_concurrent_claimers_share_the_queue_without_overlap(redis_url: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        waiting = [entry for priority in Priority for entry in entries_of(priority, 500)]
        await redis.queue.enqueue_all(waiting)
        claimed = Counter[QueueEntry]()

        async def claim_all(turn: int) -> None:
            while batch := await redis.queue.claim(WeightedOrder().plan(7, turn), HAND_OUT):
                claimed.update(batch)

        async with asyncio.TaskGroup() as group:
            for turn in range(40):
                group.create_task(claim_all(turn))

        assert claimed == Counter(waiting)
        assert (await redis.maintenance.depths()).processing == len(waiting)

    run_on(redis_url, scenario)


@pytest.mark.parametrize(
    "queued_at",
    [
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2026, 3, 4, 5, 6, 7, 1, tzinfo=UTC),
        datetime(2026, 3, 4, 5, 6, 7, 999999, tzinfo=UTC),
        datetime(2254, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ],
)
def test_the_server_returns_a_place_to_the_microsecond(redis_url: str, queued_at: datetime) -> None:
    async def scenario(redis: RedisBackend) -> None:
        entry = a_queue_entry(queued_at=queued_at)
        await redis.queue.enqueue_all([entry])
        assert await redis.queue.claim(ALL, HAND_OUT) == [entry]

    run_on(redis_url, scenario)


def test_neighbouring_microseconds_are_handed_out_in_order(redis_url: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        waiting = entries_of(Priority.HIGH, 300)
        await redis.queue.enqueue_all(waiting[::-1])
        assert await redis.queue.claim(ALL, HAND_OUT) == waiting

    run_on(redis_url, scenario)


def test_batches_of_any_size_fit(redis_url: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        waiting = [entry for priority in Priority for entry in entries_of(priority, 1200)]
        await redis.queue.enqueue_all(waiting)
        claimed = await redis.queue.claim(ALL, timedelta(0))
        assert claimed == waiting

        await redis.queue.give_back(claimed)
        assert (await redis.maintenance.depths()).queues == dict.fromkeys(Priority, 1200)
        assert await redis.maintenance.enqueue_missing(waiting) == 0

        await redis.queue.claim(ALL, timedelta(0))
        gone = [entry.job_id for entry in waiting[2400:]]
        assert await redis.maintenance.return_overdue(waiting[:2400], gone) == 2400
        assert (await redis.maintenance.depths()).processing == 0

        found = [(entry.priority, entry.job_id) for entry in waiting[:2400]]
        assert await redis.maintenance.discard(found) == 2400
        await redis.queue.enqueue_all(waiting)
        await redis.queue.remove_all([entry.job_id for entry in waiting])
        assert (await redis.maintenance.depths()).queues == dict.fromkeys(Priority, 0)

    run_on(redis_url, scenario)


def test_a_batch_takes_one_round_trip(redis_url: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        await redis.queue.enqueue_all(entries_of(Priority.LOW, 1))
        await redis.queue.claim(ALL, HAND_OUT)
        before = await evalsha_calls(redis)

        await redis.queue.enqueue_all([entry for priority in Priority for entry in entries_of(priority, 250)])
        await redis.queue.claim(StrictOrder().plan(100, 0), HAND_OUT)

        assert await evalsha_calls(redis) == before + 2

    run_on(redis_url, scenario)


def test_a_large_batch_wakes_idle_workers_once(redis_url: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        async with redis.bus.subscribe(work=True) as subscription:
            await redis.queue.enqueue_all(entries_of(Priority.LOW, 2500))
            await redis.raw.publish(redis.keys.wake, "the end")
            heard = subscription.events()
            assert [await anext(heard), await anext(heard)] == [WorkArrived()] * 2
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await anext(heard)

    run_on(redis_url, scenario)


def test_scripts_work_again_after_the_server_forgot_them(redis_url: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        first, second = entries_of(Priority.HIGH, 2)
        await redis.queue.enqueue_all([first])
        await redis.raw.script_flush()
        await redis.queue.enqueue_all([second])
        assert await redis.queue.claim(ALL, HAND_OUT) == [first, second]
        assert redis.telemetry.faults == []

    run_on(redis_url, scenario)


def test_more_callers_than_connections_wait_their_turn(redis_url: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        waiting = entries_of(Priority.HIGH, 500)
        await asyncio.gather(*(redis.queue.enqueue_all([entry]) for entry in waiting))
        assert len(await redis.queue.claim(ALL, HAND_OUT)) == len(waiting)
        assert redis.telemetry.faults == []

    run_on(redis_url, scenario)


def test_two_prefixes_share_a_server(redis_url: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        other = RedisBackend(redis_url)
        await redis.queue.enqueue_all(entries_of(Priority.HIGH, 3))
        assert await other.queue.claim(ALL, HAND_OUT) == []
        await other.close()

    run_on(redis_url, scenario)


async def evalsha_calls(redis: RedisBackend) -> int:
    stats = await redis.raw.info("commandstats")
    return int(stats["cmdstat_evalsha"]["calls"])


def test_cells_under_prefixes_of_their_own_share_a_server_and_nothing_else(redis_url: str) -> None:
    async def scenario(here: RedisBackend) -> None:
        there = RedisBackend(redis_url)
        try:
            entry = a_queue_entry()
            await here.queue.enqueue_all([entry])
            assert await there.queue.claim(ALL, HAND_OUT) == []
            assert (await there.maintenance.depths()).queues[entry.priority] == 0
            await there.queue.remove_all([entry.job_id])
            assert await here.queue.claim(ALL, HAND_OUT) == [entry]
            assert (await there.maintenance.depths()).processing == 0
        finally:
            await there.close()

    run_on(redis_url, scenario)
