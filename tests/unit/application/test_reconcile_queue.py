"""The queue is kept true to the store."""

from datetime import timedelta

import pytest

from scheduler.application.use_cases import reconcile_queue
from scheduler.application.use_cases.reconcile_queue import SETTLED_AFTER, ReconcileQueue
from scheduler.domain.job import Job
from scheduler.domain.priority import Priority
from scheduler.domain.state import JobState
from tests.support.builders import MICROSECOND, a_change, a_job, a_queue_entry, an_entry
from tests.unit.application.shop import Shop, in_virtual_time


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile_queue, "PAGE", 2)


def reconciler(shop: Shop) -> ReconcileQueue:
    return ReconcileQueue(
        repository=shop.repository,
        sweeper=shop.sweeper,
        maintenance=shop.maintenance,
        epoch=shop.epoch,
        clock=shop.clock,
        telemetry=shop.telemetry,
    )


def queued(shop: Shop, priority: Priority, count: int) -> list[Job]:
    now = shop.clock.now()
    return [
        a_job(priority=priority, created_at=now, queued_at=now - (count - index) * MICROSECOND)
        for index in range(count)
    ]


async def depths(shop: Shop) -> list[int]:
    return list((await shop.maintenance.depths()).queues.values())


async def already_rebuilt(shop: Shop) -> ReconcileQueue:
    reconcile = reconciler(shop)
    await reconcile.execute()
    shop.telemetry.repairs.clear()
    return reconcile


def test_a_lost_queue_is_rebuilt_whole_in_one_round_however_unequal_the_priorities() -> None:
    async def scenario(shop: Shop) -> None:
        for priority, count in zip(Priority, (1, 3, 5, 9), strict=True):
            await shop.store(*queued(shop, priority, count))
        await reconciler(shop).execute()
        assert await depths(shop) == [1, 3, 5, 9]
        assert shop.telemetry.repairs["missing"] == 18
        # 9 LOW jobs are 5 pages of 2, and one more round is the usual one after the rebuild.
        assert shop.gate.calls.count("queued_page") == 5 + 1

    in_virtual_time(scenario)


def test_a_queue_that_was_not_lost_is_not_rebuilt_again() -> None:
    async def scenario(shop: Shop) -> None:
        reconcile = await already_rebuilt(shop)
        await reconcile.execute()
        assert shop.telemetry.repairs["rebuild"] == 0
        shop.queue_state.lose_everything()
        await reconcile.execute()
        assert shop.telemetry.repairs["rebuild"] == 1

    in_virtual_time(scenario)


def test_another_server_than_before_is_rebuilt_although_it_was_once_whole() -> None:
    async def scenario(shop: Shop) -> None:
        reconcile = await already_rebuilt(shop)
        missing = a_job(created_at=shop.clock.now())
        await shop.store(missing)
        shop.later(0.001)

        async def demoted() -> str:
            return "the run of a demoted primary"

        shop.epoch.current = demoted  # type: ignore[method-assign] # the server behind the address has changed
        await reconcile.execute()
        await reconcile.execute()
        assert shop.telemetry.repairs["rebuild"] == 1
        assert await depths(shop) == [0, 0, 1, 0]

    in_virtual_time(scenario)


def test_a_round_that_finds_much_missing_asks_for_the_next_one_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile_queue, "PAGE", 8)

    async def scenario(shop: Shop) -> None:
        reconcile = await already_rebuilt(shop)
        jobs = queued(shop, Priority.HIGH, 20)
        await shop.store(*jobs)
        shop.later(SETTLED_AFTER.total_seconds() + 1)
        assert [await reconcile.execute() for _ in range(4)] == [True, True, True, False]
        await shop.queue.remove_all([jobs[0].id])
        assert [await reconcile.execute() for _ in range(3)] == [False] * 3
        assert await depths(shop) == [0, 20, 0, 0]

    in_virtual_time(scenario)


def test_a_rebuild_during_which_the_queue_was_lost_again_is_not_finished() -> None:
    async def scenario(shop: Shop) -> None:
        reconcile = reconciler(shop)
        begin = shop.epoch.begin_rebuild

        async def begin_and_lose() -> str:
            token = await begin()
            shop.queue_state.lose_everything()
            return token

        shop.epoch.begin_rebuild = begin_and_lose  # type: ignore[method-assign] # one loss at the worst moment
        await reconcile.execute()
        assert await shop.epoch.current() is None
        assert shop.telemetry.repairs["rebuild"] == 0

    in_virtual_time(scenario)


def test_the_sweep_adds_what_is_missing_page_by_page_and_begins_anew() -> None:
    async def scenario(shop: Shop) -> None:
        reconcile = await already_rebuilt(shop)
        await shop.store(*queued(shop, Priority.HIGH, 5))
        shop.later(SETTLED_AFTER.total_seconds() + 1)
        for expected in (2, 4, 5):
            await reconcile.execute()
            assert await depths(shop) == [0, expected, 0, 0]
        missed_later = a_job(priority=Priority.HIGH, queued_at=shop.clock.now() - timedelta(hours=1))
        await shop.store(missed_later)
        await reconcile.execute()
        assert await depths(shop) == [0, 6, 0, 0]

    in_virtual_time(scenario)


def test_a_job_that_was_just_submitted_is_left_to_its_submitter() -> None:
    async def scenario(shop: Shop) -> None:
        reconcile = await already_rebuilt(shop)
        await shop.store(a_job(created_at=shop.clock.now()))
        shop.later(SETTLED_AFTER.total_seconds())
        await reconcile.execute()
        assert await depths(shop) == [0, 0, 0, 0]
        shop.later(0.001)
        await reconcile.execute()
        assert await depths(shop) == [0, 0, 1, 0]

    in_virtual_time(scenario)


def test_what_does_not_belong_in_a_queue_is_taken_out_and_what_does_stays() -> None:
    async def scenario(shop: Shop) -> None:
        reconcile = await already_rebuilt(shop)
        good, moved = a_job(), a_job(priority=Priority.LOW)
        ended = a_job(JobState.SUCCEEDED)
        await shop.store(good, moved, ended)
        unknown, wrong_queue = a_queue_entry(), a_queue_entry(Priority.CRITICAL, job_id=moved.id)
        await shop.queue.enqueue_all(
            [an_entry(good), an_entry(moved), unknown, a_queue_entry(job_id=ended.id), wrong_queue]
        )
        for _ in range(2):
            await reconcile.execute()
        assert shop.telemetry.repairs["ghost"] == 3
        assert await depths(shop) == [0, 0, 1, 1]

    in_virtual_time(scenario)


def test_a_job_that_started_meanwhile_is_not_put_back() -> None:
    async def scenario(shop: Shop) -> None:
        reconcile = await already_rebuilt(shop)
        job = a_job()
        await shop.store(job)
        await shop.stored.apply([a_change(job, job.start(shop.worker_id, shop.clock.now()))])
        shop.later(60)
        await reconcile.execute()
        assert await depths(shop) == [0, 0, 0, 0]

    in_virtual_time(scenario)
