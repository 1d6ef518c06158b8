"""Free slots are filled while the lease holds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from scheduler.application.worker.claim_loop import LOOP
from scheduler.domain.job import first_version
from scheduler.domain.priority import Priority
from scheduler.domain.state import JobState
from tests.support.builders import a_worker_id
from tests.unit.application.shop import settled
from tests.unit.application.workshop import Workshop, until, with_a_worker


@asynccontextmanager
async def claiming(shop: Workshop, *, hearing: bool = True) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        if hearing:
            group.create_task(shop.wakeups.run(stopping, lambda _: None))
        group.create_task(shop.claim_loop.run(stopping))
        try:
            yield
        finally:
            shop.manual.end()
            stopping.set()
            shop.table.changed.set()
            shop.wakeups.work.set()


def test_nothing_is_claimed_before_the_lease_and_all_that_waits_after() -> None:
    async def scenario(shop: Workshop) -> None:
        await shop.submit_manual()
        async with claiming(shop):
            await asyncio.sleep(30)
            assert shop.gate.calls.count("claim") == 0
            shop.claim_loop.resume(shop.worker_id)
            await settled()
            assert shop.table.free == 1

    with_a_worker(scenario)


def test_work_that_arrives_starts_at_once() -> None:
    async def scenario(shop: Workshop) -> None:
        shop.claim_loop.resume(shop.worker_id)
        async with claiming(shop):
            await asyncio.sleep(7)
            before = shop.clock.monotonic()
            await shop.submit_manual()
            await settled()
            assert (shop.table.free, shop.clock.monotonic()) == (1, before)

    with_a_worker(scenario)


def test_work_that_arrives_during_a_claim_that_found_nothing_is_claimed_at_once() -> None:
    async def scenario(shop: Workshop) -> None:
        hold = shop.gate.hold("claim")
        shop.claim_loop.resume(shop.worker_id)
        async with claiming(shop):
            await hold.reached()
            before = shop.clock.monotonic()
            await shop.submit_manual()
            await settled()
            hold.let_go()
            await settled()
            assert (shop.table.free, shop.clock.monotonic()) == (1, before)

    with_a_worker(scenario)


def test_a_slot_that_becomes_free_is_filled_at_once() -> None:
    async def scenario(shop: Workshop) -> None:
        for _ in range(5):
            await shop.submit_manual()
        shop.claim_loop.resume(shop.worker_id)
        async with claiming(shop):
            await settled()
            assert (shop.table.free, len(shop.manual.contexts)) == (0, 2)
            before = shop.clock.monotonic()
            shop.manual.end()
            await settled(300)
            assert (len(shop.manual.contexts), shop.clock.monotonic()) == (5, before)

    with_a_worker(scenario)


def test_an_idle_worker_asks_seldom_while_it_hears_and_often_while_it_does_not() -> None:
    async def scenario(shop: Workshop) -> None:
        shop.claim_loop.resume(shop.worker_id)
        async with claiming(shop):
            await asyncio.sleep(20)
            heard = shop.gate.calls.count("claim")
            shop.queue_switch.off()
            await asyncio.sleep(20)
            assert 8 <= heard <= 12
            assert 36 <= shop.gate.calls.count("claimable") <= 44

    with_a_worker(scenario)


def test_a_full_worker_claims_nothing_and_beats() -> None:
    async def scenario(shop: Workshop) -> None:
        await shop.submit_manual()
        shop.claim_loop.resume(shop.worker_id)
        async with claiming(shop):
            await until(lambda: shop.table.free == 0)
            before = shop.gate.calls.count("claim")
            await asyncio.sleep(200)
            assert (shop.gate.calls.count("claim"), shop.progress.stuck()) == (before, [])

    with_a_worker(scenario, slots=1)


def test_a_claim_loop_without_store_or_lease_still_makes_progress() -> None:
    async def scenario(shop: Workshop) -> None:
        await shop.submit_manual()
        shop.store_switch.off()
        shop.claim_loop.resume(shop.worker_id)
        async with claiming(shop):
            await until(lambda: [event for event, _ in shop.telemetry.faults].count("claim_failed") > 150)
            assert shop.progress.stuck() == []
            shop.claim_loop.suspend()
            await asyncio.sleep(100)
            assert shop.progress.stuck() == []

    with_a_worker(scenario)


def test_a_claim_loop_that_hangs_is_found_stuck() -> None:
    async def scenario(shop: Workshop) -> None:
        progress = shop.progress
        hold = shop.gate.hold("claim")
        shop.claim_loop.resume(shop.worker_id)
        async with claiming(shop):
            await hold.reached()
            await asyncio.sleep(60)
            assert progress.stuck() == []
            await asyncio.sleep(0.1)
            assert progress.stuck() == [LOOP]
            hold.let_go()
            await settled()
            assert progress.stuck() == []

    with_a_worker(scenario)


def test_a_claim_that_failed_is_tried_again() -> None:
    async def scenario(shop: Workshop) -> None:
        job_id = await shop.submit_manual()
        shop.store_switch.off()
        shop.claim_loop.resume(shop.worker_id)
        async with claiming(shop):
            await asyncio.sleep(10)
            assert (await shop.maintenance.depths()).processing == 0
            shop.store_switch.on()
            await until(lambda: shop.table.free == 1, seconds=1)
            assert await shop.state(job_id) is JobState.RUNNING

    with_a_worker(scenario)


def test_nothing_is_claimed_until_a_store_that_failed_answers() -> None:
    async def scenario(shop: Workshop) -> None:
        await shop.submit_manual()
        shop.store_switch.off()
        shop.claim_loop.resume(shop.worker_id)
        async with claiming(shop):
            await asyncio.sleep(60)
            assert shop.gate.calls.count("claim") == 1
            shop.store_switch.on()
            await until(lambda: shop.table.free == 1, seconds=1)

    with_a_worker(scenario)


def test_what_starts_while_the_lease_ends_is_given_back_and_never_runs() -> None:
    async def scenario(shop: Workshop) -> None:
        job_id = await shop.submit_manual()
        hold = shop.gate.hold("apply")
        shop.claim_loop.resume(shop.worker_id)
        async with claiming(shop):
            await hold.reached()
            shop.claim_loop.suspend()
            hold.let_go()
            await until(lambda: shop.table.free == 2)
            await settled()
            job = await shop.job(job_id)
            assert (job.state, job.attempts, shop.manual.contexts) == (JobState.QUEUED, 0, [])

    with_a_worker(scenario)


def test_what_started_under_a_lease_that_was_replaced_is_given_back_and_runs_under_the_new_one() -> None:
    async def scenario(shop: Workshop) -> None:
        job_id = await shop.submit_manual()
        hold = shop.gate.hold("apply")
        shop.claim_loop.resume(shop.worker_id)
        async with claiming(shop):
            await hold.reached()
            new = a_worker_id()
            shop.claim_loop.suspend()
            shop.claim_loop.resume(new)
            hold.let_go()
            await until(lambda: len(shop.manual.contexts) == 1)
            job = await shop.job(job_id)
            assert (job.worker_id, job.attempts) == (new, 1)

    with_a_worker(scenario)


def test_jobs_without_a_handler_here_stay_queued_in_their_places_and_hold_up_no_other() -> None:
    async def scenario(shop: Workshop) -> None:
        foreign = [await shop.submit(type="fax.send", priority=Priority.CRITICAL) for _ in range(20)]
        own = [await shop.submit_manual() for _ in range(20)]
        shop.manual.end()
        shop.claim_loop.resume(shop.worker_id)
        before = shop.clock.monotonic()
        async with claiming(shop):
            await until(lambda: len(shop.telemetry.ended) == 20)
            assert shop.clock.monotonic() - before < 1
            await asyncio.sleep(300)
        assert [await shop.state(job_id) for job_id in own] == [JobState.SUCCEEDED] * 20
        jobs = [await shop.job(job_id) for job_id in foreign]
        assert {(job.state, job.attempts) for job in jobs} == {(JobState.QUEUED, 0)}
        assert all(job.version == first_version(job.created_at) for job in jobs)
        depths = await shop.maintenance.depths()
        assert (depths.queues[Priority.CRITICAL], depths.queues[Priority.DEFAULT], depths.processing) == (20, 0, 0)
        # It asked the queue again after 2, 6, 14, 30 s, then every 30 s: two jobs a time.
        assert len(shop.telemetry.without_handler) <= 2 * 16
        assert {job.type for job in shop.telemetry.without_handler} == {"fax.send"}

    with_a_worker(scenario)


def test_without_foreign_jobs_the_queue_is_asked_again_and_the_next_pause_is_short() -> None:
    async def scenario(shop: Workshop) -> None:
        shop.claim_loop.resume(shop.worker_id)
        async with claiming(shop):
            for _ in range(3):
                job_id = await shop.submit(type="fax.send")
                await asyncio.sleep(0.1)
                before = shop.gate.calls.count("claim")
                await shop.forget(job_id)
                await shop.queue.remove_all([job_id])
                await asyncio.sleep(5)
                assert shop.gate.calls.count("claim") > before

    with_a_worker(scenario)


@pytest.mark.parametrize("redis", [True, False])
def test_a_corrupt_row_does_not_starve_a_worker_with_one_slot(redis: bool) -> None:  # noqa: FBT001 - a parameter of the test
    async def scenario(shop: Workshop) -> None:
        corrupt = await shop.submit_manual()
        shop.damaged.add(corrupt)
        others = [await shop.submit_manual() for _ in range(5)]
        if not redis:
            shop.queue_switch.off()
        shop.manual.end()
        shop.claim_loop.resume(shop.worker_id)
        before = shop.clock.monotonic()
        async with claiming(shop, hearing=redis):
            await until(lambda: len(shop.telemetry.ended) == 5)
        assert shop.clock.monotonic() - before < 5
        assert [await shop.state(job_id) for job_id in others] == [JobState.SUCCEEDED] * 5
        assert await shop.state(corrupt) is JobState.QUEUED

    with_a_worker(scenario, slots=1)
