"""What users get for their tests behaves as the service does, and waits for nothing."""

import asyncio
import json
import os
import threading
import time
from datetime import timedelta

import pytest
from pydantic import BaseModel

from scheduler.adapters.handlers.registry import DuplicateHandlerError
from scheduler.client import ClientError, JobState, Priority, RetryPolicy, SchedulerClient, Submission
from scheduler.handlers import JobContext, PermanentError, RetryLater, handler
from scheduler.testing import AttemptOutcome, HandlerRun, InMemoryScheduler, job_context, run_handler, run_handler_sync
from tests.unit.entrypoints import process_user

DAY = timedelta(days=1)


class Size(BaseModel):
    width: int


@handler("double")
async def double(payload: Size, context: JobContext) -> Size:
    context.progress(50, "half")
    return Size(width=2 * payload.width)


@handler("flaky")
def flaky(payload: Size, context: JobContext) -> int:
    if context.attempt < payload.width:
        raise RetryLater("not yet", delay=timedelta(hours=1))
    return context.attempt


@handler("bad")
def bad(payload: object, context: JobContext) -> None:
    raise PermanentError("no")


def test_an_attempt_runs_with_the_checks_of_a_worker() -> None:
    run = run_handler_sync(double, {"width": 3})

    assert run == HandlerRun(outcome=AttemptOutcome.SUCCEEDED, result={"width": 6}, progress=((50, "half"),))
    assert run_handler_sync(double, Size(width=3)) == run
    assert run_handler_sync(double, {"width": "wide"}).outcome is AttemptOutcome.FAILED
    assert run_handler_sync(double).error == "payload: Input should be an object"


def test_an_attempt_tells_how_it_failed() -> None:
    run = run_handler_sync(flaky, {"width": 3}, attempt=2)

    assert (run.outcome, run.error, run.retry_after) == (AttemptOutcome.RETRY, "not yet", timedelta(hours=1))
    assert run_handler_sync(flaky, {"width": 3}, attempt=3).result == 3
    assert run_handler_sync(bad).outcome is AttemptOutcome.FAILED


def test_an_attempt_runs_in_the_loop_of_an_async_test_and_out_of_time() -> None:
    @handler("slow")
    async def slow(payload: object, context: JobContext) -> None:
        await asyncio.sleep(60)

    run = asyncio.run(run_handler(slow, timeout=timedelta(milliseconds=10)))

    assert run.outcome is AttemptOutcome.TIMED_OUT


def test_an_attempt_knows_the_seconds_that_are_left() -> None:
    @handler("left")
    def left(payload: object, context: JobContext) -> float:
        return context.seconds_left

    result = run_handler_sync(left, timeout=timedelta(seconds=7)).result

    assert isinstance(result, float)
    assert 0 < result <= 7


def test_jobs_after_skipped_time_have_no_more_seconds_left() -> None:
    @handler("left")
    async def left(payload: object, context: JobContext) -> float:
        if context.attempt == 1:
            raise RetryLater("in an hour", delay=timedelta(hours=1))
        return context.seconds_left

    policy = RetryPolicy(max_backoff=timedelta(hours=1))
    with InMemoryScheduler([left]) as scheduler:
        job_id = scheduler.submit(left.job(None, timeout=timedelta(seconds=7), retry_policy=policy)).job_id
        scheduler.drain()
        assert 0 < float(scheduler.get(job_id).result or "") <= 7


def test_a_thread_that_is_out_of_time_is_told() -> None:
    told = threading.Event()

    @handler("slow")
    def slow(payload: object, context: JobContext) -> None:
        if context.wait_cancelled(60):
            told.set()

    assert run_handler_sync(slow, timeout=timedelta(milliseconds=10)).outcome is AttemptOutcome.TIMED_OUT
    assert told.wait(10)


def test_a_handler_is_called_like_its_function() -> None:
    context = job_context("double", attempt=4)

    assert (context.attempt, context.max_attempts, context.job_type) == (4, 4, "double")
    assert 0 < context.seconds_left <= 300
    assert asyncio.run(double(Size(width=1), context)) == Size(width=2)


def test_a_job_is_made_from_its_handler() -> None:
    job = double.job(Size(width=1), priority=Priority.HIGH, labels={"team": "web"})

    assert job == Submission(type="double", priority=Priority.HIGH, payload='{"width":1}', labels={"team": "web"})
    assert bad.job(None).payload is None


def test_submitted_jobs_wait_and_can_be_looked_at() -> None:
    with InMemoryScheduler() as scheduler:
        scheduler.submit(double.job(Size(width=1)))
        scheduler.submit(Submission(type="mail", priority=Priority.LOW, payload='{"to": "a"}'))
        scheduler.submit(Submission(type="mail", priority=Priority.HIGH, payload='{"to": "b"}', labels={"team": "web"}))

        assert [json.loads(job.payload or "") for job in scheduler.jobs("mail")] == [{"to": "a"}, {"to": "b"}]
        assert [job.type for job in scheduler.jobs(state=JobState.QUEUED)] == ["double", "mail", "mail"]
        assert [job.payload for job in scheduler.jobs(labels={"team": "web"})] == ['{"to": "b"}']
        assert [job.payload for job in scheduler.jobs(priority=Priority.LOW)] == ['{"to": "a"}']
        assert scheduler.cancel(scheduler.jobs("mail")[0].job_id)
        assert [job.state for job in scheduler.jobs("mail")] == [JobState.CANCELLED, JobState.QUEUED]


def test_code_under_test_submits_with_the_client_of_production() -> None:
    async def sign_up(address: str) -> None:
        async with SchedulerClient(address) as client:
            await client.submit(double.job(Size(width=4), idempotency_key="once"))
            with pytest.raises(ClientError, match="ALREADY_EXISTS"):
                await client.submit(double.job(Size(width=5), idempotency_key="once"))

    with InMemoryScheduler([double]) as scheduler:
        asyncio.run(sign_up(scheduler.address))
        scheduler.drain()

        (job,) = scheduler.jobs()
        assert (job.state, job.result) == (JobState.SUCCEEDED, '{"width":8}')


def test_retries_and_schedules_take_no_time_and_happen_when_they_are_due() -> None:
    begin = time.monotonic()
    with InMemoryScheduler([double, flaky, bad]) as scheduler:
        start = scheduler.now()
        policy = RetryPolicy(max_backoff=2 * DAY)
        retried = scheduler.submit(flaky.job(Size(width=3), retry_policy=policy)).job_id
        later = scheduler.submit(double.job(Size(width=1), run_at=start + 30 * DAY)).job_id
        failed = scheduler.submit(bad.job(None)).job_id
        unknown = scheduler.submit(Submission(type="unknown", priority=Priority.LOW)).job_id
        scheduler.drain()

        assert (scheduler.get(retried).state, scheduler.get(retried).result) == (JobState.SUCCEEDED, "3")
        first, _, third = scheduler.attempts(retried)
        assert timedelta(hours=2) <= third.started_at - first.started_at < timedelta(hours=3)
        assert [one.outcome for one in (first, third)] == [AttemptOutcome.RETRY, AttemptOutcome.SUCCEEDED]
        ran_at = scheduler.get(later).started_at
        assert ran_at is not None
        assert start + 30 * DAY <= ran_at < start + 31 * DAY
        assert (scheduler.get(failed).state, scheduler.get(failed).last_error) == (JobState.FAILED, "no")
        assert scheduler.get(unknown).state is JobState.QUEUED
    assert time.monotonic() - begin < 60, "nobody waited for the retries, the least of which take an hour"


def test_a_drain_can_end_before_what_is_due_later() -> None:
    with InMemoryScheduler([double]) as scheduler:
        job_id = scheduler.submit(double.job(Size(width=1), run_at=scheduler.now() + DAY)).job_id
        scheduler.drain(within=DAY / 2)
        assert scheduler.get(job_id).state is JobState.SCHEDULED

        scheduler.advance(DAY)
        scheduler.drain(within=timedelta(0))
        assert scheduler.get(job_id).state is JobState.SUCCEEDED


def test_handlers_may_submit_jobs_which_the_drain_runs_too() -> None:
    addresses: list[str] = []

    @handler("parent")
    async def parent(payload: object, context: JobContext) -> None:
        async with SchedulerClient(addresses[0]) as client:
            await client.submit(double.job(Size(width=1), run_at=scheduler.now() + DAY))

    @handler("thread")
    def in_thread(payload: object, context: JobContext) -> None:
        scheduler.submit(double.job(Size(width=2)))

    @handler("loop")
    async def in_loop(payload: object, context: JobContext) -> None:
        scheduler.submit(double.job(Size(width=3)))

    with InMemoryScheduler([double, parent, in_thread, in_loop]) as scheduler:
        addresses.append(scheduler.address)
        for definition in (parent, in_thread):
            scheduler.submit(definition.job(None))
        stuck = scheduler.submit(in_loop.job(None, max_attempts=1)).job_id
        scheduler.drain()

        assert sorted(job.result or "" for job in scheduler.jobs("double")) == ['{"width":2}', '{"width":4}']
        assert "use a SchedulerClient" in scheduler.get(stuck).last_error


def test_an_attempt_out_of_time_is_retried_although_its_thread_goes_on() -> None:
    hold = threading.Event()

    @handler("hang")
    def hang(payload: object, context: JobContext) -> None:
        if context.attempt == 1:
            hold.wait()

    with InMemoryScheduler([hang]) as scheduler:
        job_id = scheduler.submit(hang.job(None, timeout=timedelta(milliseconds=20))).job_id
        scheduler.drain()
        hold.set()

        assert scheduler.get(job_id).state is JobState.SUCCEEDED
        assert scheduler.attempts(job_id)[0].outcome is AttemptOutcome.TIMED_OUT


def test_more_jobs_than_slots_run_and_no_more_than_slots_at_once() -> None:
    running: list[int] = []
    most: list[int] = []

    @handler("count")
    async def count(payload: int, context: JobContext) -> None:
        running.append(payload)
        most.append(len(running))
        await asyncio.sleep(0.001)
        running.remove(payload)

    with InMemoryScheduler([count], slots=3) as scheduler:
        for number in range(30):
            scheduler.submit(count.job(number))
        scheduler.drain()

        assert {job.state for job in scheduler.jobs()} == {JobState.SUCCEEDED}
    assert max(most) == 3


def test_a_handler_in_a_process_of_its_own_runs_there() -> None:
    run = run_handler_sync(process_user.process_id)
    assert run.outcome is AttemptOutcome.SUCCEEDED
    assert run.result not in {None, os.getpid()}

    with InMemoryScheduler([process_user.process_id]) as scheduler:
        jobs = [scheduler.submit(process_user.process_id.job(None)) for _ in range(2)]
        scheduler.drain()

        first, second = (scheduler.get(job.job_id).result for job in jobs)
        assert first is not None
        assert {first, second}.isdisjoint({None, str(os.getpid())})


def test_progress_is_kept_with_the_job() -> None:
    with InMemoryScheduler([double]) as scheduler:
        job_id = scheduler.submit(double.job(Size(width=1))).job_id
        scheduler.drain()

        assert (scheduler.get(job_id).progress, scheduler.get(job_id).progress_message) == (50, "half")


def test_two_handlers_for_one_type_are_refused() -> None:
    with pytest.raises(DuplicateHandlerError, match="job type 'double' has two handlers"):
        InMemoryScheduler([double, double])


def test_each_scheduler_is_its_own() -> None:
    with InMemoryScheduler() as one, InMemoryScheduler() as two:
        one.submit(bad.job(None))

        assert len(one.jobs()) == 1
        assert two.jobs() == []
    assert not [thread for thread in threading.enumerate() if thread.name == "scheduler under test"]
