"""A worker from its first lease to its last word."""

import asyncio
from datetime import timedelta

import pytest

from scheduler.application.use_cases.cancel_job import CancelJob
from scheduler.application.worker.ending import Ending
from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.ids import JobId
from scheduler.domain.state import JobState
from tests.unit.application.workshop import LEASE_SECONDS, Workshop, until, with_a_worker


def events(shop: Workshop) -> list[str]:
    return [event for event, _ in shop.telemetry.faults]


async def running(shop: Workshop, count: int = 1) -> list[JobId]:
    """Wait until that many new jobs run."""
    before = len(shop.manual.contexts)
    ids = [await shop.submit_manual() for _ in range(count)]
    await until(lambda: len(shop.manual.contexts) == before + count)
    return ids


def test_it_works_from_its_lease_to_its_stop_and_leaves_no_row_open() -> None:
    async def scenario(shop: Workshop) -> None:
        shop.manual.end()
        async with shop.working():
            ids = await running(shop, 3)
            await until(lambda: len(shop.telemetry.ended) == 3)
        assert [await shop.state(job_id) for job_id in ids] == [JobState.SUCCEEDED] * 3
        assert await shop.registered.count_open() == 0
        assert await shop.has_ended() is Ending.COMPLETE
        assert events(shop) == []

    with_a_worker(scenario)


def test_a_cancelled_job_is_stopped_at_once() -> None:
    async def scenario(shop: Workshop) -> None:
        async with shop.working():
            (job_id,) = await running(shop)
            before = shop.clock.monotonic()
            cancel = CancelJob(transitions=shop.transitions, queue=shop.best_effort, clock=shop.clock)
            assert await cancel.execute(job_id)
            await until(lambda: shop.table.free == 2)
            assert shop.clock.monotonic() - before < 0.1
        assert shop.telemetry.stale == []

    with_a_worker(scenario)


def test_a_cancelled_job_is_stopped_at_the_next_renewal_when_nobody_can_tell() -> None:
    async def scenario(shop: Workshop) -> None:
        async with shop.working():
            (job_id,) = await running(shop)
            shop.queue_switch.off()
            cancel = CancelJob(transitions=shop.transitions, queue=shop.best_effort, clock=shop.clock)
            assert await cancel.execute(job_id)
            await until(lambda: shop.table.free == 2, seconds=LEASE_SECONDS / 3 + 0.1)

    with_a_worker(scenario)


def test_handlers_are_stopped_before_the_lease_runs_out_and_their_jobs_given_back_unburnt() -> None:
    async def scenario(shop: Workshop) -> None:
        async with shop.working():
            (job_id,) = await running(shop)
            begun = shop.clock.monotonic()
            shop.store_switch.off()
            await until(lambda: shop.manual.cancellations == 1)
            assert shop.clock.monotonic() - begun < LEASE_SECONDS
            claims = shop.gate.calls.count("claim")
            await asyncio.sleep(60)
            assert shop.gate.calls.count("claim") == claims
            shop.store_switch.on()
            await until(lambda: len(shop.manual.contexts) == 2)
            assert (await shop.job(job_id)).attempts == 1
            assert [attempt.outcome for _, attempt in shop.telemetry.ended] == [AttemptOutcome.RELEASED]

    with_a_worker(scenario)


def test_a_worker_whose_lease_was_closed_works_on_under_a_new_name() -> None:
    async def scenario(shop: Workshop) -> None:
        async with shop.working():
            await running(shop)
            await shop.registered.close(shop.opened[0].id)
            await until(lambda: len(shop.manual.contexts) == 2)
            assert shop.manual.contexts[1].worker_id == shop.opened[1].id

    with_a_worker(scenario)


def test_a_start_whose_reply_was_lost_is_given_back_and_runs_after_all() -> None:
    async def scenario(shop: Workshop) -> None:
        async with shop.working():
            await until(lambda: shop.wakeups.hearing and bool(shop.opened))
            hold = shop.gate.hold("apply")
            job_id = await shop.submit_manual()
            await hold.reached()
            shop.store_switch.lose_replies()
            hold.let_go()
            await asyncio.sleep(0.1)
            shop.store_switch.on()
            assert (await shop.state(job_id), shop.manual.contexts) == (JobState.RUNNING, [])
            await until(lambda: len(shop.manual.contexts) == 1, seconds=30)
            assert (await shop.job(job_id)).attempts == 1

    with_a_worker(scenario)


def test_a_stop_lets_handlers_end_within_the_grace() -> None:
    async def scenario(shop: Workshop) -> None:
        async with shop.working(grace_seconds=5):
            (job_id,) = await running(shop)
            await shop.submit_manual()
            await shop.submit_manual()
            await until(lambda: len(shop.manual.contexts) == 2)
            shop.stopping.set()
            await asyncio.sleep(4.9)
            assert shop.manual.cancellations == 0
            shop.manual.end()
            assert await shop.has_ended() is Ending.COMPLETE
        assert await shop.state(job_id) is JobState.SUCCEEDED
        assert len(shop.manual.contexts) == 2

    with_a_worker(scenario)


def test_what_outlasts_the_grace_is_cancelled_and_given_back() -> None:
    async def scenario(shop: Workshop) -> None:
        async with shop.working(grace_seconds=5):
            (job_id,) = await running(shop)
            before = shop.clock.monotonic()
            shop.stopping.set()
            assert await shop.has_ended() is Ending.COMPLETE
            assert 5 <= shop.clock.monotonic() - before < 5.1
        job = await shop.job(job_id)
        assert (job.state, job.attempts) == (JobState.QUEUED, 0)

    with_a_worker(scenario)


def test_what_ignores_its_cancellation_is_given_back_all_the_same_and_said_to_hang() -> None:
    async def scenario(shop: Workshop) -> None:
        shop.manual.stubborn = True
        async with shop.working(grace_seconds=5):
            ids = await running(shop, 2)
            before = shop.clock.monotonic()
            shop.stopping.set()
            assert await shop.has_ended() is Ending.HUNG
            assert 7 <= shop.clock.monotonic() - before < 7.2
        assert [(await shop.job(job_id)).attempts for job_id in ids] == [0, 0]
        shop.manual.end()

    with_a_worker(scenario)


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_stop_during_an_outage_ends_in_bounded_time_and_leaves_its_jobs_to_the_reaper(*, stubborn: bool) -> None:
    async def scenario(shop: Workshop) -> None:
        shop.manual.stubborn = stubborn
        async with shop.working(grace_seconds=5):
            (job_id,) = await running(shop)
            shop.store_switch.off()
            shop.queue_switch.off()
            before = shop.clock.monotonic()
            shop.stopping.set()
            assert await shop.has_ended() is (Ending.HUNG if stubborn else Ending.COMPLETE)
            assert shop.clock.monotonic() - before <= 5 + 2 + 5 + 0.5
            assert "results_lost_at_stop" in events(shop)
            if not stubborn:
                shop.store_switch.on()
                await asyncio.sleep(10)
        assert await shop.state(job_id) is JobState.RUNNING
        shop.manual.end()

    with_a_worker(scenario)


def test_results_that_wait_for_the_store_at_the_stop_reach_it_when_it_is_back_in_time() -> None:
    async def scenario(shop: Workshop) -> None:
        async with shop.working(grace_seconds=1):
            (job_id,) = await running(shop)
            shop.store_switch.off()
            shop.manual.end()
            await until(lambda: "results_wait_for_store" in events(shop))
            shop.stopping.set()
            await asyncio.sleep(5)
            shop.store_switch.on()
            assert await shop.has_ended() is Ending.COMPLETE
        assert await shop.state(job_id) is JobState.SUCCEEDED
        assert "results_lost_at_stop" not in events(shop)

    with_a_worker(scenario)


def test_an_idle_worker_stops_at_once() -> None:
    async def scenario(shop: Workshop) -> None:
        async with shop.working(grace_seconds=60):
            await asyncio.sleep(10)
            before = shop.clock.monotonic()
            shop.stopping.set()
            assert await shop.has_ended() is Ending.COMPLETE
            assert shop.clock.monotonic() - before < 1

    with_a_worker(scenario)


def test_an_attempt_that_a_blocked_loop_keeps_from_its_time_limit_is_found() -> None:
    async def scenario(shop: Workshop) -> None:
        async with shop.working(grace_seconds=0):
            await shop.submit(type="manual", timeout=timedelta(seconds=1))
            await until(lambda: len(shop.manual.contexts) == 1)
            shop.clock.advance(timedelta(seconds=30))
            assert not shop.worker.has_stuck_handler()
            shop.clock.advance(timedelta(seconds=2))
            assert shop.worker.has_stuck_handler()
            await until(lambda: len(shop.telemetry.ended) == 1)
            assert not shop.worker.has_stuck_handler()

    with_a_worker(scenario)


def test_a_worker_whose_handlers_are_stuck_claims_nothing_more() -> None:
    async def scenario(shop: Workshop) -> None:
        async with shop.working(grace_seconds=0):
            await running(shop)
            shop.worker.handler_stuck()
            await asyncio.sleep(LEASE_SECONDS / 3)
            claims = shop.gate.calls.count("claim")
            await shop.submit_manual()
            await asyncio.sleep(10)
            assert shop.gate.calls.count("claim") == claims

    with_a_worker(scenario)
