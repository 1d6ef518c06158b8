"""Results reach the store once, each judged by its own fence."""

import pytest

from scheduler.application.dto import StartedJob
from scheduler.application.errors import StoreUnavailableError
from scheduler.application.outcomes import Released, Success
from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.priority import Priority
from scheduler.domain.retry import Failure, FailureKind
from scheduler.domain.state import JobState
from tests.support.builders import a_change
from tests.unit.application.shop import Shop, in_virtual_time


async def start_one(shop: Shop) -> StartedJob:
    (started,) = (await shop.start_jobs.execute(shop.worker_id, 1)).jobs
    return started


async def start_again(shop: Shop, first: StartedJob) -> StartedJob:
    """Lose the attempt and start the next one."""
    lost = first.job.lose(shop.clock.now())
    await shop.stored.apply([a_change(first.job, lost)])
    await shop.best_effort.enqueue([lost])
    return await start_one(shop)


def test_two_attempts_of_one_job_in_one_flush_are_judged_one_by_one() -> None:
    async def scenario(shop: Shop) -> None:
        job_id = await shop.submit()
        first = await start_one(shop)
        second = await start_again(shop, first)
        await shop.finish_jobs.execute([shop.result(first.job, Released()), shop.result(second.job, Success())])
        assert await shop.state(job_id) is JobState.SUCCEEDED
        assert shop.telemetry.stale == [first.attempt_id]
        assert [attempt.id for _, attempt in shop.telemetry.ended] == [second.attempt_id]
        assert (await shop.maintenance.depths()).queues[Priority.DEFAULT] == 0

    in_virtual_time(scenario)


def test_the_first_of_two_results_of_one_attempt_counts() -> None:
    async def scenario(shop: Shop) -> None:
        job_id = await shop.submit()
        started = await start_one(shop)
        await shop.finish_jobs.execute([shop.result(started.job, Success()), shop.result(started.job, Released())])
        assert await shop.state(job_id) is JobState.SUCCEEDED
        assert shop.telemetry.stale == [started.attempt_id]

    in_virtual_time(scenario)


def test_a_result_whose_reply_was_lost_is_repeated_under_the_same_name() -> None:
    async def scenario(shop: Shop) -> None:
        await shop.submit()
        result = shop.result((await start_one(shop)).job, Success(result="1"))
        shop.store_switch.lose_replies()
        with pytest.raises(StoreUnavailableError):
            await shop.finish_jobs.execute([result])
        shop.store_switch.on()
        await shop.finish_jobs.execute([result])
        assert shop.telemetry.stale == []
        assert [attempt.outcome for _, attempt in shop.telemetry.ended] == [AttemptOutcome.SUCCEEDED]

    in_virtual_time(scenario)


def test_a_released_job_is_queued_again_at_once_and_a_failed_one_is_not() -> None:
    async def scenario(shop: Shop) -> None:
        await shop.submit()
        await shop.submit()
        released, failed = (await shop.start_jobs.execute(shop.worker_id, 2)).jobs
        failure = Failure(kind=FailureKind.ERROR, error="broken")
        await shop.finish_jobs.execute([shop.result(released.job, Released()), shop.result(failed.job, failure)])
        assert await shop.state(failed.job.id) is JobState.RETRYING
        again = await shop.start_jobs.execute(shop.worker_id, 2)
        assert [(item.job.id, item.job.attempts) for item in again.jobs] == [(released.job.id, 1)]

    in_virtual_time(scenario)
