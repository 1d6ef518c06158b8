"""A job id that is used again after a purge: what the first job left behind does nothing to the second."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import NAMESPACE_URL, uuid5

import pytest

from scheduler.application.errors import JobNotFoundError
from scheduler.application.outcomes import Success
from scheduler.application.use_cases.cancel_job import CancelJob
from scheduler.application.use_cases.release_due_jobs import ReleaseDueJobs
from scheduler.application.use_cases.submit_jobs import SubmitCommand
from scheduler.application.watcher import Watcher
from scheduler.application.worker.attempt import StopReason
from scheduler.domain.ids import JobId
from scheduler.domain.job import Job
from tests.support.builders import SECOND, a_job, a_submission, a_worker_id
from tests.unit.application.shop import Shop, in_virtual_time
from tests.unit.application.workshop import Workshop, with_a_worker

ID = JobId(uuid5(NAMESPACE_URL, "invoice-17"))


async def submit(shop: Shop, payload: str, delay: timedelta | None = None) -> None:
    run_at = None if delay is None else shop.clock.now() + delay
    submission = a_submission(payload=payload, run_at=run_at)
    await shop.submit_jobs.execute([SubmitCommand(submission=submission, job_id=ID)])


async def start(shop: Shop) -> Job:
    (started,) = (await shop.start_jobs.execute(a_worker_id(), 1)).jobs
    return started.job


async def cancel(shop: Shop) -> None:
    assert await CancelJob(transitions=shop.transitions, queue=shop.best_effort, clock=shop.clock).execute(ID)


async def started_and_purged(shop: Shop) -> Job:
    """Start a job, cancel it and purge it; return the attempt, whose worker has heard nothing."""
    await submit(shop, '"old"')
    old = await start(shop)
    await cancel(shop)
    shop.later(1)
    await shop.forget(ID)
    return old


async def running(shop: Shop) -> None:
    await submit(shop, '"new"')
    await start(shop)


async def queued(shop: Shop) -> None:
    await submit(shop, '"new"', 5 * SECOND)
    shop.later(6)
    release = ReleaseDueJobs(
        repository=shop.repository,
        sweeper=shop.sweeper,
        queue=shop.best_effort,
        transitions=shop.transitions,
        clock=shop.clock,
        telemetry=shop.telemetry,
    )
    await release.execute()


async def cancelled(shop: Shop) -> None:
    await submit(shop, '"new"')
    await cancel(shop)


@pytest.mark.parametrize("second_life", [running, queued, cancelled])
def test_a_late_result_of_the_first_job_is_stale(second_life: Callable[[Shop], Awaitable[None]]) -> None:
    async def scenario(shop: Shop) -> None:
        old = await started_and_purged(shop)
        await second_life(shop)
        before = await shop.job(ID)

        await shop.finish_jobs.execute([shop.result(old, Success(result='"of the old payload"'))])

        details = (await shop.stored.load_details([ID]))[ID]
        assert (details.job, details.payload, details.result) == (before, '"new"', None)
        assert shop.telemetry.stale == [old.attempt_id]

    in_virtual_time(scenario)


def test_versions_and_fences_of_an_id_never_repeat() -> None:
    async def scenario(shop: Shop) -> None:
        old = await started_and_purged(shop)
        await submit(shop, '"new"')
        assert (await shop.job(ID)).version > old.version + 1
        assert (await start(shop)).attempt_id.fence > old.attempt_id.fence

    in_virtual_time(scenario)


def test_a_revocation_of_the_first_jobs_attempt_spares_the_second_ones() -> None:
    async def scenario(shop: Workshop) -> None:
        old = await started_and_purged(shop)
        await submit(shop, '"new"')
        shop.table.stop(old.attempt_id, StopReason.REVOKED)
        started = await shop.start_one()
        shop.runner.launch(started, shop.worker_id)
        shop.table.stop(old.attempt_id, StopReason.REVOKED)
        (attempt,) = shop.table
        assert attempt.stop_reason is None

    with_a_worker(scenario)


def test_a_watch_of_a_job_whose_id_was_given_to_another_ends_as_after_any_purge() -> None:
    async def scenario() -> None:
        first = a_job()
        for successor in (
            a_job(id=first.id, created_at=first.created_at + SECOND, version=first.version + 9),
            a_job(id=first.id, created_at=first.created_at + SECOND, version=first.version),
        ):
            watcher = Watcher(first.id)
            watcher.show(first)
            assert await watcher.next() == first
            watcher.show(successor)
            with pytest.raises(JobNotFoundError):
                await watcher.next()

    asyncio.run(scenario())
