"""Repairs on a real server."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from scheduler.domain.ids import JobId
from scheduler.domain.priority import Priority, StrictOrder
from tests.support.builders import MICROSECOND, NOW, a_queue_entry
from tests.support.redis import RedisBackend, run_on

pytestmark = pytest.mark.servers

HAND_OUT = timedelta(seconds=10)
ALL = StrictOrder().plan(5000, 0)
ENTRY = a_queue_entry(Priority.HIGH)


@pytest.mark.parametrize("size", [10, 3000])
def test_a_scan_in_small_pages_sees_every_member(redis_url: str, size: int) -> None:
    async def scenario(redis: RedisBackend) -> None:
        waiting = [a_queue_entry(priority, NOW + n * MICROSECOND) for priority in Priority for n in range(size)]
        await redis.queue.enqueue_all(waiting)

        seen = set[tuple[Priority, JobId]]()
        pages, cursor = 0, None
        while pages == 0 or cursor is not None:
            page = await redis.maintenance.scan(cursor, 100)
            seen.update(page.entries)
            pages, cursor = pages + 1, page.next

        assert seen == {(entry.priority, entry.job_id) for entry in waiting}
        assert pages >= size * len(Priority) / 200

    run_on(redis_url, scenario)


@pytest.mark.parametrize("cursor", ["", "nonsense", "9:0", "1:-1", "1:" + "9" * 50, "0:0"])
def test_a_cursor_that_no_scan_gave_out_begins_anew(redis_url: str, cursor: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        await redis.queue.enqueue_all([ENTRY])
        page = await redis.maintenance.scan(cursor, 100)
        assert page.entries == [(Priority.HIGH, ENTRY.job_id)]

    run_on(redis_url, scenario)


def test_a_scan_removes_members_that_are_no_ids_and_counts_them(redis_url: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        await redis.queue.enqueue_all([ENTRY])
        await redis.put_junk()

        page = await redis.maintenance.scan(None, 100)
        assert (page.junk, page.entries) == (4, [(Priority.HIGH, ENTRY.job_id)])
        assert (await redis.maintenance.scan(None, 100)).junk == 0
        depths = await redis.maintenance.depths()
        assert (sum(depths.queues.values()), depths.processing) == (1, 0)

    run_on(redis_url, scenario)


def test_a_scan_removes_keys_of_the_wrong_type_and_counts_them(redis_url: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        await redis.put_wrong_type()
        assert (await redis.maintenance.scan(None, 100)).junk == 5
        assert (await redis.maintenance.scan(None, 100)).junk == 0

    run_on(redis_url, scenario)


def test_junk_at_the_head_of_a_queue_is_no_job_and_stops_none(redis_url: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        await redis.put_junk()
        entry = a_queue_entry(Priority.DEFAULT)
        await redis.queue.enqueue_all([entry])
        assert await redis.queue.claim(StrictOrder().plan(1, 0), HAND_OUT) == [entry]

    run_on(redis_url, scenario)


def test_junk_that_is_handed_out_is_not_reported_as_overdue(redis_url: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        await redis.put_junk()
        assert await redis.maintenance.overdue(100) == []
        assert (await redis.maintenance.depths()).processing == 0

    run_on(redis_url, scenario)


COMMANDS: dict[str, Callable[[RedisBackend], Awaitable[object]]] = {
    "enqueue_all": lambda redis: redis.queue.enqueue_all([ENTRY]),
    "remove_all": lambda redis: redis.queue.remove_all([ENTRY.job_id]),
    "claim": lambda redis: redis.queue.claim(ALL, HAND_OUT),
    "ack": lambda redis: redis.queue.ack([ENTRY.job_id]),
    "give_back": lambda redis: redis.queue.give_back([ENTRY]),
    "overdue": lambda redis: redis.maintenance.overdue(10),
    "return_overdue": lambda redis: redis.maintenance.return_overdue([ENTRY], [ENTRY.job_id]),
    "enqueue_missing": lambda redis: redis.maintenance.enqueue_missing([ENTRY]),
    "scan": lambda redis: redis.maintenance.scan(None, 10),
    "discard": lambda redis: redis.maintenance.discard([(Priority.HIGH, ENTRY.job_id)]),
    "depths": lambda redis: redis.maintenance.depths(),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_keys_of_the_wrong_type_stop_no_command(redis_url: str, name: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        await redis.put_wrong_type()
        await COMMANDS[name](redis)

        await redis.queue.enqueue_all([ENTRY])
        assert ENTRY in await redis.queue.claim(ALL, HAND_OUT) or name == "claim"
        assert redis.telemetry.faults == []

    run_on(redis_url, scenario)


def test_one_queue_of_the_wrong_type_does_not_keep_the_others_from_being_claimed(redis_url: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        low = a_queue_entry(Priority.LOW)
        await redis.queue.enqueue_all([low])
        await redis.raw.rpush(redis.keys.queue(Priority.CRITICAL), "a list")
        assert await redis.queue.claim(ALL, HAND_OUT) == [low]

    run_on(redis_url, scenario)


def test_an_id_that_is_handed_out_is_not_handed_out_again_when_it_is_queued_late(redis_url: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        await redis.queue.enqueue_all([ENTRY])
        assert await redis.queue.claim(ALL, HAND_OUT) == [ENTRY]
        await redis.queue.enqueue_all([ENTRY])
        assert await redis.queue.claim(ALL, HAND_OUT) == []
        depths = await redis.maintenance.depths()
        assert (depths.queues[Priority.HIGH], depths.processing) == (0, 1)

    run_on(redis_url, scenario)


def test_a_repeated_claim_does_not_prolong_the_hand_out(redis_url: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        await redis.queue.enqueue_all([ENTRY])
        await redis.queue.claim(ALL, timedelta(0))
        await redis.queue.enqueue_all([ENTRY])
        await redis.queue.claim(ALL, HAND_OUT)
        assert await redis.maintenance.overdue(10) == [ENTRY.job_id]

    run_on(redis_url, scenario)


def test_an_entry_keeps_its_first_place(redis_url: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        later = a_queue_entry(ENTRY.priority, ENTRY.queued_at + MICROSECOND, ENTRY.job_id)
        await redis.queue.enqueue_all([ENTRY])
        await redis.queue.enqueue_all([later])
        assert await redis.maintenance.enqueue_missing([later]) == 0
        assert await redis.queue.claim(ALL, HAND_OUT) == [ENTRY]

    run_on(redis_url, scenario)


def test_a_cancelled_job_is_not_given_back(redis_url: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        await redis.queue.enqueue_all([ENTRY])
        await redis.queue.claim(ALL, HAND_OUT)
        await redis.queue.remove_all([ENTRY.job_id])
        await redis.queue.give_back([ENTRY])
        assert await redis.queue.claim(ALL, HAND_OUT) == []

    run_on(redis_url, scenario)


def test_a_hand_out_that_was_acked_meanwhile_is_not_returned(redis_url: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        await redis.queue.enqueue_all([ENTRY])
        await redis.queue.claim(ALL, timedelta(0))
        assert await redis.maintenance.overdue(10) == [ENTRY.job_id]
        await redis.queue.ack([ENTRY.job_id])
        assert await redis.maintenance.return_overdue([ENTRY], []) == 0
        assert await redis.queue.claim(ALL, HAND_OUT) == []

    run_on(redis_url, scenario)


def test_a_hand_out_within_its_time_is_neither_returned_nor_forgotten(redis_url: str) -> None:
    async def scenario(redis: RedisBackend) -> None:
        await redis.queue.enqueue_all([ENTRY])
        await redis.queue.claim(ALL, HAND_OUT)
        assert await redis.maintenance.overdue(10) == []
        assert await redis.maintenance.return_overdue([ENTRY], [ENTRY.job_id]) == 0
        assert (await redis.maintenance.depths()).processing == 1

    run_on(redis_url, scenario)
