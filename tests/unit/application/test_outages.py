"""The store or the queue is away: nothing is lost, and work goes on where it can."""

import asyncio

import pytest

from scheduler.adapters.memory.job_reader import MemoryJobReader
from scheduler.adapters.memory.store import MemoryStore
from scheduler.application.deadline import time_limit
from scheduler.application.errors import JobNotFoundError, StoreRejectedError, StoreUnavailableError
from scheduler.application.outcomes import Success
from scheduler.application.use_cases.cancel_job import CancelJob
from scheduler.application.use_cases.get_job import GetJob
from scheduler.application.use_cases.list_attempts import ListAttempts
from scheduler.domain.ids import JobId
from scheduler.domain.priority import Priority
from scheduler.domain.state import JobState
from tests.support.builders import a_job_id
from tests.unit.application.shop import Shop, settled


def test_without_the_queue_jobs_are_claimed_from_the_store_in_order_of_priority() -> None:
    async def scenario() -> None:
        shop = Shop()
        shop.queue_switch.off()
        low = await shop.submit(priority="LOW")
        critical = await shop.submit(priority="CRITICAL")
        batch = await shop.start_jobs.execute(shop.worker_id, 5)
        assert [started.job.id for started in batch.jobs] == [critical, low]
        assert {event for event, _ in shop.telemetry.faults} == {"queue_command_skipped", "claiming_from_store"}

    asyncio.run(scenario())


def test_what_cannot_start_because_the_store_is_away_is_given_back() -> None:
    async def scenario() -> None:
        shop = Shop()
        job_id = await shop.submit()
        shop.store_switch.off()
        with pytest.raises(StoreUnavailableError):
            await shop.start_jobs.execute(shop.worker_id, 1)
        shop.store_switch.on()
        batch = await shop.start_jobs.execute(shop.worker_id, 1)
        assert [started.job.id for started in batch.jobs] == [job_id]

    asyncio.run(scenario())


def test_what_cannot_start_because_the_store_refuses_it_is_given_back() -> None:
    async def scenario() -> None:
        shop = Shop()
        await shop.submit()

        async def refuse(_: object) -> frozenset[JobId]:
            raise StoreRejectedError("for good")

        shop.repository.apply = refuse  # type: ignore[method-assign,assignment] # a store of its own mind
        with pytest.raises(StoreRejectedError):
            await shop.start_jobs.execute(shop.worker_id, 1)
        depths = await shop.maintenance.depths()
        assert (depths.queues[Priority.DEFAULT], depths.processing) == (1, 0)

    asyncio.run(scenario())


def test_a_stale_entry_starts_nothing_and_is_forgotten() -> None:
    async def scenario() -> None:
        shop = Shop()
        job_id = await shop.submit()
        cancel = CancelJob(transitions=shop.transitions, queue=shop.best_effort, clock=shop.clock)
        shop.queue_switch.off()
        assert await cancel.execute(job_id)
        shop.queue_switch.on()
        first = await shop.start_jobs.execute(shop.worker_id, 1)
        again = await shop.start_jobs.execute(shop.worker_id, 1)
        assert (first.claimed, len(first.jobs), again.claimed) == (1, 0, 0)

    asyncio.run(scenario())


def test_a_submit_whose_reply_was_lost_is_recognised_and_created_once() -> None:
    async def scenario() -> None:
        shop = Shop()
        adding = shop.repository.add_all

        async def add_and_lose_the_reply(jobs: object) -> None:
            await adding(jobs)  # type: ignore[arg-type] # passed through
            await adding(jobs)  # type: ignore[arg-type] # the retry wrapper sends it again

        shop.repository.add_all = add_and_lose_the_reply  # type: ignore[method-assign] # one faulty reply
        job_id = await shop.submit()
        assert [job.id for job in shop.telemetry.submitted] == [job_id]
        assert await shop.state(job_id) is JobState.QUEUED

    asyncio.run(scenario())


def test_a_submit_without_the_store_is_refused_and_counted() -> None:
    async def scenario() -> None:
        shop = Shop()
        shop.store_switch.off()
        with pytest.raises(StoreUnavailableError):
            await shop.submit()
        assert shop.telemetry.submit_errors == ["StoreUnavailableError"]

    asyncio.run(scenario())


def test_a_result_is_kept_while_the_store_is_away_and_recorded_once() -> None:
    async def scenario() -> None:
        shop = Shop()
        job_id = await shop.submit()
        (started,) = (await shop.start_jobs.execute(shop.worker_id, 1)).jobs
        shop.store_switch.lose_replies()
        recording = asyncio.create_task(shop.runner.record(shop.result(started.job, Success())))
        await settled()
        assert [event for event, _ in shop.telemetry.faults] == ["results_wait_for_store"]
        shop.store_switch.on()
        await recording
        assert await shop.state(job_id) is JobState.SUCCEEDED
        assert [job.id for job, _ in shop.telemetry.ended] == [job_id]
        assert shop.telemetry.stale == []

    asyncio.run(scenario())


def test_a_result_under_an_old_fence_is_refused_and_counted() -> None:
    async def scenario() -> None:
        shop = Shop()
        job_id = await shop.submit()
        (started,) = (await shop.start_jobs.execute(shop.worker_id, 1)).jobs
        cancel = CancelJob(transitions=shop.transitions, queue=shop.best_effort, clock=shop.clock)
        await cancel.execute(job_id)
        await shop.finish_jobs.execute([shop.result(started.job, Success())])
        assert await shop.state(job_id) is JobState.CANCELLED
        assert shop.telemetry.stale == [started.attempt_id]

    asyncio.run(scenario())


def test_a_change_that_the_deadline_leaves_no_time_for_is_refused() -> None:
    async def scenario() -> None:
        shop = Shop()
        job_id = await shop.submit()
        cancel = CancelJob(transitions=shop.transitions, queue=shop.best_effort, clock=shop.clock)
        with time_limit(0), pytest.raises(StoreUnavailableError):
            await cancel.execute(job_id)
        assert await shop.state(job_id) is JobState.QUEUED

    asyncio.run(scenario())


def test_a_job_that_does_not_exist_is_not_found() -> None:
    async def scenario() -> None:
        shop = Shop()
        reader = MemoryJobReader(MemoryStore(shop.clock))
        cancel = CancelJob(transitions=shop.transitions, queue=shop.best_effort, clock=shop.clock)
        for attempt in (
            GetJob(repository=shop.repository).execute,
            ListAttempts(reader=reader).execute,
            cancel.execute,
        ):
            with pytest.raises(JobNotFoundError):
                await attempt(a_job_id())

    asyncio.run(scenario())
