"""An attempt is over at its time limit, whatever its handler does."""

from datetime import timedelta

import pytest

from scheduler.application.worker.attempt import StopReason
from scheduler.application.worker.ending import Ending
from scheduler.application.worker.stragglers import ABANDON_SECONDS
from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.ids import JobId
from scheduler.domain.state import JobState
from tests.unit.application.workshop import MANUAL, Workshop, until, with_a_worker

LIMIT = timedelta(seconds=2)


async def submit_limited(shop: Workshop, **fields: object) -> JobId:
    return await shop.submit(type=MANUAL, timeout=LIMIT, **fields)


async def timed_out(shop: Workshop, count: int = 1, **fields: object) -> list[JobId]:
    """Let so many jobs run into their time limit."""
    ids = [await submit_limited(shop, **fields) for _ in range(count)]
    before = len(shop.telemetry.ended)
    await until(lambda: len(shop.telemetry.ended) == before + count)
    return ids


@pytest.mark.parametrize("stubborn", [False, True])
def test_it_is_recorded_and_its_slot_is_free_at_the_limit_though_the_handler_runs_on(*, stubborn: bool) -> None:
    async def scenario(shop: Workshop) -> None:
        shop.manual.stubborn = stubborn
        async with shop.working(grace_seconds=0):
            await submit_limited(shop)
            await until(lambda: len(shop.manual.contexts) == 1)
            begun = shop.clock.monotonic()
            await until(lambda: shop.table.free == 2)
            assert abs(shop.clock.monotonic() - begun - LIMIT.total_seconds()) < 0.1
            ((job, attempt),) = shop.telemetry.ended
            assert (attempt.outcome, attempt.error) == (AttemptOutcome.TIMED_OUT, "ran longer than its timeout of 2 s")
            assert job.state is JobState.RETRYING
            assert (shop.manual.contexts[0].cancelled, shop.manual.cancellations) == (True, 1)

    with_a_worker(scenario)


def test_what_the_handler_returns_later_is_ignored() -> None:
    async def scenario(shop: Workshop) -> None:
        shop.manual.stubborn = True
        async with shop.working(grace_seconds=0):
            (job_id,) = await timed_out(shop, max_attempts=1)
            shop.manual.end()
            await until(lambda: len(shop.stragglers) == 0)
            assert await shop.state(job_id) is JobState.DEADLETTER
            assert (shop.telemetry.stale, shop.telemetry.abandoned) == ([], [])

    with_a_worker(scenario)


def test_a_handler_that_does_not_end_in_time_is_abandoned_and_counted_until_it_does() -> None:
    async def scenario(shop: Workshop) -> None:
        shop.manual.stubborn = True
        async with shop.working(grace_seconds=0):
            (job_id,) = await timed_out(shop)
            told = shop.clock.monotonic()
            await until(lambda: bool(shop.telemetry.abandoned))
            assert ABANDON_SECONDS <= shop.clock.monotonic() - told < ABANDON_SECONDS + 0.1
            assert [job.id for job in shop.telemetry.abandoned] == [job_id]
            assert shop.manual.cancellations == 2, "it is told once more, for it may have missed the first time"
            shop.manual.end()
            await until(lambda: len(shop.stragglers) == 0)
            assert shop.telemetry.abandoned_alive == [1, 0]
        assert await shop.has_ended() is Ending.COMPLETE

    with_a_worker(scenario)


def test_it_is_abandoned_in_time_although_the_store_does_not_take_its_result() -> None:
    async def scenario(shop: Workshop) -> None:
        shop.manual.stubborn = True
        async with shop.working(grace_seconds=0):
            await submit_limited(shop)
            await until(lambda: len(shop.manual.contexts) == 1)
            shop.store_switch.off()
            await until(lambda: bool(shop.telemetry.abandoned))
            assert shop.table.free == 1
            shop.store_switch.on()
            await until(lambda: len(shop.telemetry.ended) == 1)
            assert shop.telemetry.ended[0][1].outcome is AttemptOutcome.TIMED_OUT

    with_a_worker(scenario)


def test_a_worker_full_of_abandoned_handlers_stops_and_burns_no_attempt() -> None:
    async def scenario(shop: Workshop) -> None:
        shop.manual.stubborn = True
        async with shop.working(grace_seconds=1):
            await timed_out(shop, 2, max_attempts=1)
            ids = [await shop.submit_manual() for _ in range(3)]
            assert await shop.has_ended() is Ending.WORN_OUT
            assert shop.telemetry.wear == [2]
            assert shop.stopping.is_set()
            jobs = [await shop.job(job_id) for job_id in ids]
            assert [(job.state, job.attempts) for job in jobs] == [(JobState.QUEUED, 0)] * 3

    with_a_worker(scenario)


def test_never_are_more_handlers_alive_than_twice_the_slots() -> None:
    async def scenario(shop: Workshop) -> None:
        shop.manual.stubborn = True
        async with shop.working(grace_seconds=0):
            for _ in range(10):
                await shop.submit(type=MANUAL, timeout=timedelta(milliseconds=100), max_attempts=1)
            await until(lambda: len(shop.telemetry.ended) == 4)
            assert len(shop.stragglers) == 4
            assert await shop.has_ended() is Ending.WORN_OUT
            assert len(shop.manual.contexts) == 4

    with_a_worker(scenario)


def test_a_thread_that_outlives_its_attempt_counts_as_its_handler() -> None:
    async def scenario(shop: Workshop) -> None:
        async with shop.working(grace_seconds=0):
            await submit_limited(shop)
            await until(lambda: len(shop.manual.contexts) == 1)
            ended = shop.manual.contexts[0].leave_running()
            await until(lambda: shop.manual.cancellations == 1)
            await until(lambda: bool(shop.telemetry.abandoned))
            for _ in range(2):
                ended()
            await until(lambda: len(shop.stragglers) == 0)
            assert shop.telemetry.abandoned_alive == [1, 0]

    with_a_worker(scenario)


def test_a_job_to_be_given_back_waits_for_the_thread_that_works_at_it() -> None:
    async def scenario(shop: Workshop) -> None:
        job_id = await shop.submit_manual()
        shop.runner.launch(await shop.start_one(), shop.worker_id)
        await until(lambda: len(shop.manual.contexts) == 1)
        ended = shop.manual.contexts[0].leave_running()
        shop.table.stop_all(StopReason.RELEASED)
        await until(lambda: shop.manual.cancellations == 1)
        assert (await shop.state(job_id), shop.table.free) == (JobState.RUNNING, 1)
        ended()
        await until(lambda: shop.table.free == 2)
        assert await shop.state(job_id) is JobState.QUEUED

    with_a_worker(scenario)


def test_a_job_to_be_given_back_is_given_back_at_its_time_limit_at_the_latest() -> None:
    async def scenario(shop: Workshop) -> None:
        shop.manual.stubborn = True
        job_id = await submit_limited(shop)
        shop.runner.launch(await shop.start_one(), shop.worker_id)
        await until(lambda: len(shop.manual.contexts) == 1)
        shop.table.stop_all(StopReason.RELEASED)
        await until(lambda: shop.table.free == 2, seconds=LIMIT.total_seconds() + 0.1)
        job = await shop.job(job_id)
        assert (job.state, job.attempts, shop.manual.cancellations) == (JobState.QUEUED, 0, 1)

    with_a_worker(scenario)
