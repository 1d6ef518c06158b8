"""What clients do to jobs that others change at the same time."""

import asyncio
from collections.abc import Sequence

import pytest

from scheduler.application.errors import JobNotFoundError, StoreUnavailableError, VersionConflictError
from scheduler.application.use_cases.cancel_job import CancelJob
from scheduler.application.use_cases.requeue_job import RequeueJob
from scheduler.domain.errors import InvalidFieldError, TransitionNotAllowedError
from scheduler.domain.events import AttemptRevoked, Event, JobChanged
from scheduler.domain.job import first_version
from scheduler.domain.priority import StrictOrder
from scheduler.domain.state import FINAL_STATES, JobState
from tests.support.builders import SECOND, a_change, a_job, a_job_id, an_entry
from tests.unit.application.shop import Shop, in_virtual_time, settled


def canceller(shop: Shop) -> CancelJob:
    return CancelJob(transitions=shop.transitions, queue=shop.best_effort, clock=shop.clock)


def requeuer(shop: Shop) -> RequeueJob:
    return RequeueJob(transitions=shop.transitions, queue=shop.best_effort, clock=shop.clock, telemetry=shop.telemetry)


def publications(shop: Shop) -> list[Event]:
    """Return a list that grows with what is published."""
    published: list[Event] = []
    publish = shop.memory_bus.publish

    async def listen_in(events: Sequence[Event]) -> None:
        published.extend(events)
        await publish(events)

    shop.memory_bus.publish = listen_in  # type: ignore[method-assign] # listens in
    return published


async def depth(shop: Shop) -> int:
    return sum((await shop.maintenance.depths()).queues.values())


def test_a_queued_job_is_cancelled_and_leaves_its_queue() -> None:
    async def scenario(shop: Shop) -> None:
        job_id = await shop.submit()
        assert await depth(shop) == 1
        published = publications(shop)
        assert await canceller(shop).execute(job_id)
        assert published == [
            JobChanged(job_id=job_id, version=first_version(shop.clock.now()) + 1, state=JobState.CANCELLED, attempts=0)
        ]
        assert (await shop.state(job_id), await depth(shop)) == (JobState.CANCELLED, 0)

    in_virtual_time(scenario)


@pytest.mark.parametrize("state", [JobState.SCHEDULED, JobState.RETRYING])
def test_a_waiting_job_is_cancelled(state: JobState) -> None:
    async def scenario(shop: Shop) -> None:
        job = a_job(state)
        await shop.store(job)
        assert await canceller(shop).execute(job.id)
        assert await shop.state(job.id) is JobState.CANCELLED

    in_virtual_time(scenario)


def test_the_worker_of_a_cancelled_job_is_told_which_attempt_and_watchers_are_told_too() -> None:
    async def scenario(shop: Shop) -> None:
        job = a_job(JobState.RUNNING)
        await shop.store(job)
        published = publications(shop)
        assert await canceller(shop).execute(job.id)
        assert job.worker_id is not None
        assert published == [
            JobChanged(job_id=job.id, version=3, state=JobState.CANCELLED, attempts=1),
            AttemptRevoked(worker_id=job.worker_id, attempt_id=job.attempt_id),
        ]

    in_virtual_time(scenario)


@pytest.mark.parametrize("state", sorted(FINAL_STATES))
def test_an_ended_job_stays_as_it_ended(state: JobState) -> None:
    async def scenario(shop: Shop) -> None:
        job = a_job(state)
        await shop.store(job)
        published = publications(shop)
        assert await canceller(shop).execute(job.id) is (state is JobState.CANCELLED)
        assert await shop.job(job.id) == job
        assert published == []

    in_virtual_time(scenario)


def test_a_cancel_that_loses_against_a_start_cancels_the_running_job() -> None:
    async def scenario(shop: Shop) -> None:
        job_id = await shop.submit()
        hold = shop.gate.hold("load")
        cancelling = asyncio.create_task(canceller(shop).execute(job_id))
        await hold.reached()
        await shop.start_jobs.execute(shop.worker_id, 1)
        hold.let_go()
        assert await cancelling
        job = await shop.job(job_id)
        assert (job.state, job.attempts, job.version) == (JobState.CANCELLED, 1, first_version(shop.clock.now()) + 2)

    in_virtual_time(scenario)


def test_a_cancel_that_loses_against_the_end_says_so() -> None:
    async def scenario(shop: Shop) -> None:
        job = a_job(JobState.RUNNING)
        await shop.store(job)
        hold = shop.gate.hold("load")
        cancelling = asyncio.create_task(canceller(shop).execute(job.id))
        await hold.reached()
        await shop.stored.apply([a_change(job, job.succeed(shop.clock.now()))])
        hold.let_go()
        assert not await cancelling
        assert await shop.state(job.id) is JobState.SUCCEEDED

    in_virtual_time(scenario)


def test_a_cancel_whose_reply_was_lost_is_an_outage_and_the_repeat_succeeds() -> None:
    async def scenario(shop: Shop) -> None:
        job_id = await shop.submit()
        hold = shop.gate.hold("apply")
        cancelling = asyncio.create_task(canceller(shop).execute(job_id))
        await hold.reached()
        shop.store_switch.lose_replies()
        hold.let_go()
        with pytest.raises(StoreUnavailableError):
            await cancelling
        shop.store_switch.on()
        assert await canceller(shop).execute(job_id)

    in_virtual_time(scenario)


@pytest.mark.parametrize("state", sorted(FINAL_STATES - {JobState.SUCCEEDED}))
def test_an_ended_job_starts_over_with_all_its_attempts(state: JobState) -> None:
    async def scenario(shop: Shop) -> None:
        job = a_job(state, attempts=3, losses=1, updated_at=shop.clock.now())
        await shop.store(job, payload="1")
        shop.later(5)
        after = await requeuer(shop).execute(job.id, payload=None, expected_version=job.version)
        assert (after.state, after.attempts, after.losses) == (JobState.QUEUED, 0, 0)
        assert after.queued_at == shop.clock.now()
        assert await shop.job(job.id) == after
        assert (await shop.stored.load_details([job.id]))[job.id].payload == "1"
        (entry,) = await shop.queue.claim(StrictOrder().plan(1, 0), SECOND)
        assert entry == an_entry(after)

    in_virtual_time(scenario)


def test_a_new_payload_replaces_the_old_one() -> None:
    async def scenario(shop: Shop) -> None:
        job = a_job(JobState.FAILED)
        await shop.store(job, payload="1")
        await requeuer(shop).execute(job.id, payload="2", expected_version=0)
        assert (await shop.stored.load_details([job.id]))[job.id].payload == "2"

    in_virtual_time(scenario)


def test_what_must_not_be_requeued_is_left_alone() -> None:
    async def scenario(shop: Shop) -> None:
        queued, succeeded, failed = a_job(), a_job(JobState.SUCCEEDED), a_job(JobState.FAILED)
        await shop.store(queued, succeeded, failed)
        requeue = requeuer(shop).execute
        for job in (queued, succeeded):
            with pytest.raises(TransitionNotAllowedError):
                await requeue(job.id, payload=None, expected_version=0)
        with pytest.raises(VersionConflictError) as conflict:
            await requeue(failed.id, payload=None, expected_version=9)
        assert (conflict.value.expected, conflict.value.actual) == (9, failed.version)
        with pytest.raises(InvalidFieldError):
            await requeue(failed.id, payload="{", expected_version=0)
        with pytest.raises(JobNotFoundError):
            await requeue(a_job_id(), payload=None, expected_version=0)
        assert [await shop.job(job.id) for job in (queued, succeeded, failed)] == [queued, succeeded, failed]
        assert await depth(shop) == 0

    in_virtual_time(scenario)


def test_of_two_requeues_at_once_one_wins() -> None:
    async def scenario(shop: Shop) -> None:
        job = a_job(JobState.FAILED)
        await shop.store(job)
        both = [requeuer(shop).execute(job.id, payload=None, expected_version=job.version) for _ in range(2)]
        answers = await asyncio.gather(*both, return_exceptions=True)
        assert sorted(type(answer).__name__ for answer in answers) == ["Job", "VersionConflictError"]
        await settled()
        assert await depth(shop) == 1

    in_virtual_time(scenario)


def test_without_the_queue_clients_change_jobs_all_the_same() -> None:
    async def scenario(shop: Shop) -> None:
        queued, failed = a_job(), a_job(JobState.FAILED)
        await shop.store(queued, failed)
        shop.queue_switch.off()
        assert await canceller(shop).execute(queued.id)
        await requeuer(shop).execute(failed.id, payload=None, expected_version=0)
        assert await shop.state(failed.id) is JobState.QUEUED
        assert {event for event, _ in shop.telemetry.faults} == {"queue_command_skipped"}

    in_virtual_time(scenario)
