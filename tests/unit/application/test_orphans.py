"""Attempts that were started and never launched are given back."""

import asyncio

import pytest

from scheduler.application.dto import StartedJob
from scheduler.application.worker.attempt import RunningAttempt
from scheduler.application.worker.orphans import ORPHAN_AFTER
from scheduler.domain.state import JobState
from tests.unit.application.workshop import Workshop, until, with_a_worker

LONG = ORPHAN_AFTER.total_seconds() + 0.001


async def an_orphan(shop: Workshop) -> StartedJob:
    await shop.submit_manual()
    return await shop.start_one()


def test_an_orphan_is_released_without_consuming_its_attempt_once_no_statement_can_be_on_its_way() -> None:
    async def scenario(shop: Workshop) -> None:
        orphan = await an_orphan(shop)
        strangers = frozenset({orphan.attempt_id})
        shop.later(ORPHAN_AFTER.total_seconds())
        await shop.orphans.execute(strangers)
        assert await shop.state(orphan.job.id) is JobState.RUNNING
        shop.later(0.001)
        await shop.orphans.execute(strangers)
        job = await shop.job(orphan.job.id)
        assert (job.state, job.attempts) == (JobState.QUEUED, 0)
        assert (await shop.maintenance.depths()).queues[job.priority] == 1

    with_a_worker(scenario)


def test_what_runs_here_is_no_orphan() -> None:
    async def scenario(shop: Workshop) -> None:
        started = await an_orphan(shop)
        shop.table.add(RunningAttempt(started, overdue_at=1e9))
        shop.later(LONG)
        await shop.orphans.execute(frozenset({started.attempt_id}))
        assert await shop.state(started.job.id) is JobState.RUNNING

    with_a_worker(scenario)


def test_what_ended_or_went_on_under_another_fence_is_no_orphan() -> None:
    async def scenario(shop: Workshop) -> None:
        ended, again = await an_orphan(shop), await an_orphan(shop)
        now = shop.clock.now()
        await shop.moved(ended.job, ended.job.succeed(now))
        queued = await shop.moved(again.job, again.job.lose(now))
        restarted = await shop.moved(queued, queued.start(shop.worker_id, now))
        shop.later(LONG)
        await shop.orphans.execute(frozenset({ended.attempt_id, again.attempt_id}))
        assert await shop.state(ended.job.id) is JobState.SUCCEEDED
        assert await shop.job(again.job.id) == restarted

    with_a_worker(scenario)


def test_without_strangers_the_store_is_not_asked() -> None:
    async def scenario(shop: Workshop) -> None:
        await shop.orphans.execute(frozenset())
        assert shop.gate.calls == []

    with_a_worker(scenario)


@pytest.mark.parametrize("waits_for", ["apply", "ack"])
def test_a_start_under_way_is_no_orphan_however_long_the_process_stood_still(waits_for: str) -> None:
    async def scenario(shop: Workshop) -> None:
        job_id = await shop.submit_manual()
        hold = shop.gate.hold(waits_for)
        async with shop.working():
            await hold.reached()
            (attempt_id,) = await shop.registered.held_attempts(shop.opened[0].id)
            shop.later(LONG)
            await shop.orphans.execute(frozenset({attempt_id}))
            state = await shop.state(job_id)
            hold.let_go()
            shop.manual.end()
            await until(lambda: len(shop.manual.contexts) == 1)
            assert state is JobState.RUNNING
            assert shop.manual.contexts[0].attempt_id == attempt_id

    with_a_worker(scenario)


def test_a_start_that_was_given_up_leaves_an_orphan() -> None:
    async def scenario(shop: Workshop) -> None:
        job_id = await shop.submit_manual()
        hold = shop.gate.hold("apply")
        starting = asyncio.create_task(shop.start_jobs.execute(shop.worker_id, 1))
        await hold.reached()
        (attempt_id,) = await shop.registered.held_attempts(shop.worker_id)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        shop.later(LONG)
        await shop.orphans.execute(frozenset({attempt_id}))
        assert await shop.state(job_id) is JobState.QUEUED

    with_a_worker(scenario)
