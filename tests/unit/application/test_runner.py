"""From a started job to its recorded result."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import pytest

from scheduler.adapters.memory.switch import Switch
from scheduler.application.dto import Change
from scheduler.application.errors import SchemaNotMigratedError, StoreRejectedError
from scheduler.application.group_commit import FlushLimits
from scheduler.application.ports.handlers import Handler, JobContext, PermanentError
from scheduler.application.worker import runner
from scheduler.application.worker.attempt import RunningAttempt, StopReason
from scheduler.application.worker.attempts import MAX_EARLY_REVOCATIONS
from scheduler.application.worker.runner import STUCK_AFTER
from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.ids import AttemptId, Fence, JobId
from scheduler.domain.state import JobState
from tests.support.builders import a_job_id
from tests.unit.application.shop import settled
from tests.unit.application.workshop import ManualHandler, Workshop, until, with_a_worker


def faults(shop: Workshop) -> list[str]:
    return [event for event, _ in shop.telemetry.faults]


def test_a_job_runs_with_its_payload_and_context_and_its_result_is_recorded() -> None:
    async def scenario(shop: Workshop) -> None:
        job_id = await shop.submit(type="manual", payload="[1]", max_attempts=7)
        started = await shop.start_one()
        shop.runner.launch(started, shop.worker_id)
        await settled()
        (context,) = shop.manual.contexts
        assert (context.attempt_id, context.attempt, context.max_attempts) == (started.attempt_id, 1, 7)
        assert (context.worker_id, context.deadline) == (shop.worker_id, shop.clock.now() + timedelta(seconds=300))
        assert 0 < context.seconds_left <= 300
        assert shop.telemetry.inflight_counts == [1]
        shop.manual.end()
        await settled()
        assert (await shop.stored.load_details([job_id]))[job_id].result == "[1]"
        assert shop.telemetry.inflight_counts == [1, 0]

    with_a_worker(scenario)


def test_results_outlive_an_outage_and_each_is_recorded_once() -> None:
    async def scenario(shop: Workshop) -> None:
        ids = [await shop.submit_manual() for _ in range(2)]
        for started in (await shop.start_jobs.execute(shop.worker_id, 2)).jobs:
            shop.runner.launch(started, shop.worker_id)
        shop.store_switch.off()
        shop.manual.end()
        await until(lambda: faults(shop).count("results_wait_for_store") > 100)
        assert shop.table.free == 0
        shop.store_switch.lose_replies()
        await until(lambda: faults(shop).count("results_wait_for_store") > 102)
        shop.store_switch.on()
        await until(lambda: shop.table.free == 2)
        assert sorted(job.id for job, _ in shop.telemetry.ended) == sorted(ids)
        assert shop.telemetry.stale == []

    with_a_worker(scenario)


def test_results_that_find_too_many_waiting_wait_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "FlushLimits", partial(FlushLimits, in_flight=1, waiting_size=300))

    async def scenario(shop: Workshop) -> None:
        ids = [await shop.submit_manual() for _ in range(4)]
        for started in (await shop.start_jobs.execute(shop.worker_id, 4)).jobs:
            shop.runner.launch(started, shop.worker_id)
        await settled()
        hold = shop.gate.hold("apply", before=True)
        shop.manual.end()
        await hold.reached()
        await until(lambda: "OverloadedError" in {type(error).__name__ for _, error in shop.telemetry.faults})
        hold.let_go()
        await until(lambda: shop.table.free == 4)
        assert [await shop.state(job_id) for job_id in ids] == [JobState.SUCCEEDED] * 4

    with_a_worker(scenario, slots=4)


def test_a_result_that_the_store_refuses_becomes_a_failure_and_disturbs_no_other() -> None:
    async def scenario(shop: Workshop) -> None:
        apply = shop.repository.apply

        async def refuse_results(changes: Sequence[Change]) -> frozenset[JobId]:
            if any(change.result == "666" for change in changes):
                raise StoreRejectedError("not in this house")
            return await apply(changes)

        bad, good = await shop.submit(type="manual", payload="666"), await shop.submit_manual()
        for started in (await shop.start_jobs.execute(shop.worker_id, 2)).jobs:
            shop.runner.launch(started, shop.worker_id)
        await settled()
        shop.repository.apply = refuse_results  # type: ignore[method-assign] # a store with a taste of its own
        shop.manual.end()
        await until(lambda: shop.table.free == 2)
        refused = await shop.job(bad)
        assert (refused.state, refused.last_error) == (JobState.RETRYING, "the store refused the result")
        assert await shop.state(good) is JobState.SUCCEEDED
        assert faults(shop) == ["result_refused_by_store"]

    with_a_worker(scenario)


def test_a_result_outlives_a_schema_that_is_away_and_its_job_does_not_run_again() -> None:
    async def scenario(shop: Workshop) -> None:
        shop.store_switch = Switch(lambda name: SchemaNotMigratedError([name]))
        shop.repository.apply = shop.store_switch.guard(shop.stored).apply  # type: ignore[method-assign] # as above
        job_id = await shop.submit_manual()
        shop.runner.launch(await shop.start_one(), shop.worker_id)
        shop.store_switch.off()
        shop.manual.end()
        await until(lambda: faults(shop).count("results_wait_for_store") > 10)
        shop.store_switch.on()
        await until(lambda: shop.table.free == 2)
        job = await shop.job(job_id)
        assert (job.state, job.attempts, len(shop.manual.contexts)) == (JobState.SUCCEEDED, 1, 1)
        assert set(faults(shop)) == {"results_wait_for_store"}

    with_a_worker(scenario)


def test_an_error_that_nobody_foresaw_frees_the_slot_and_is_told() -> None:
    async def scenario(shop: Workshop) -> None:
        async def break_down(changes: Sequence[Change]) -> frozenset[JobId]:
            raise ZeroDivisionError

        job_id = await shop.submit_manual()
        shop.runner.launch(await shop.start_one(), shop.worker_id)
        shop.repository.apply = break_down  # type: ignore[method-assign] # a fault in the program
        shop.manual.end()
        await until(lambda: shop.table.free == 2)
        assert faults(shop) == ["result_lost"]
        assert await shop.state(job_id) is JobState.RUNNING

    with_a_worker(scenario)


@pytest.mark.parametrize(
    ("reason", "state", "attempts"),
    [(StopReason.RELEASED, JobState.QUEUED, 0), (StopReason.REVOKED, JobState.RUNNING, 1)],
)
@pytest.mark.parametrize("steps", [0, 50])
def test_a_stopped_attempt_is_given_back_or_forgotten_begun_or_not(
    reason: StopReason, state: JobState, attempts: int, steps: int
) -> None:
    async def scenario(shop: Workshop) -> None:
        job_id = await shop.submit_manual()
        started = await shop.start_one()
        shop.runner.launch(started, shop.worker_id)
        await settled(steps)
        for _ in range(2):
            shop.table.stop(started.attempt_id, reason)
        await settled()
        assert len(shop.manual.contexts) == shop.manual.cancellations == (1 if steps else 0)
        assert all(context.cancelled for context in shop.manual.contexts)
        job = await shop.job(job_id)
        assert (job.state, job.attempts, shop.table.free) == (state, attempts, 2)

    with_a_worker(scenario)


def test_a_stop_does_not_reach_an_attempt_whose_result_is_being_recorded() -> None:
    async def scenario(shop: Workshop) -> None:
        job_id = await shop.submit_manual()
        started = await shop.start_one()
        hold = shop.gate.hold("apply", before=True)
        shop.runner.launch(started, shop.worker_id)
        shop.manual.end()
        await hold.reached()
        shop.table.stop(started.attempt_id, StopReason.RELEASED)
        hold.let_go()
        await until(lambda: shop.table.free == 2)
        assert await shop.state(job_id) is JobState.SUCCEEDED

    with_a_worker(scenario)


def test_a_handler_that_ends_well_although_it_was_stopped_keeps_its_result() -> None:
    async def scenario(shop: Workshop) -> None:
        job_id = await shop.submit_manual()
        started = await shop.start_one()
        shop.manual.stubborn = True
        shop.runner.launch(started, shop.worker_id)
        await settled()
        shop.table.stop(started.attempt_id, StopReason.RELEASED)
        await settled()
        shop.manual.end()
        await until(lambda: shop.table.free == 2)
        assert [attempt.outcome for _, attempt in shop.telemetry.ended] == [AttemptOutcome.SUCCEEDED]
        assert await shop.state(job_id) is JobState.SUCCEEDED

    with_a_worker(scenario)


@pytest.mark.parametrize("error", [RuntimeError("cleanup failed"), PermanentError("cleanup failed")], ids=type)
def test_a_handler_that_fails_because_it_is_stopped_burns_no_attempt(error: Exception) -> None:
    async def scenario(shop: Workshop) -> None:
        job_id = await shop.submit(type="manual", max_attempts=1)
        started = await shop.start_one()
        shop.manual.fails_when_cancelled = error
        shop.runner.launch(started, shop.worker_id)
        await settled()
        shop.table.stop(started.attempt_id, StopReason.RELEASED)
        await until(lambda: shop.table.free == 2)
        job = await shop.job(job_id)
        assert (job.state, job.attempts, job.last_outcome) == (JobState.QUEUED, 0, AttemptOutcome.RELEASED)

    with_a_worker(scenario)


def test_a_stop_and_the_time_limit_at_once_are_a_stop() -> None:
    async def scenario(shop: Workshop) -> None:
        job_id = await shop.submit(type="manual", timeout=timedelta(seconds=1))
        started = await shop.start_one()
        shop.runner.launch(started, shop.worker_id)
        await settled()
        shop.clock.advance(timedelta(seconds=1))
        shop.table.stop(started.attempt_id, StopReason.RELEASED)
        await settled()
        assert (await shop.job(job_id)).last_outcome is AttemptOutcome.RELEASED

    with_a_worker(scenario)


def test_an_attempt_is_overdue_only_until_it_is_decided() -> None:
    async def scenario(shop: Workshop) -> None:
        shop.manual.stubborn = True
        await shop.submit(type="manual", timeout=timedelta(seconds=1))
        started = await shop.start_one()
        shop.runner.launch(started, shop.worker_id)
        limit = shop.clock.monotonic() + 1 + STUCK_AFTER.total_seconds()
        assert shop.table.overdue(limit) == []
        assert shop.table.overdue(limit + 0.001) == [started.attempt_id]
        shop.store_switch.off()
        await until(lambda: "results_wait_for_store" in faults(shop))
        assert (shop.manual.cancellations, started.attempt_id in shop.table) == (1, True)
        assert shop.table.overdue(limit + 1) == []
        shop.store_switch.on()

    with_a_worker(scenario)


def test_abandoned_attempts_end_without_a_word() -> None:
    async def scenario(shop: Workshop) -> None:
        job_id = await shop.submit_manual()
        shop.runner.launch(await shop.start_one(), shop.worker_id)
        await settled()
        shop.runner.abandon()
        await settled()
        assert (shop.table.free, faults(shop)) == (2, [])
        await asyncio.sleep(400)
        assert await shop.state(job_id) is JobState.RUNNING, "nor does the time limit do anything more"

    with_a_worker(scenario)


def test_a_stop_of_what_does_not_run_here_stops_nothing() -> None:
    async def scenario(shop: Workshop) -> None:
        await shop.submit_manual()
        shop.runner.launch(await shop.start_one(), shop.worker_id)
        await settled()
        shop.table.stop(AttemptId(a_job_id(), Fence(2)), StopReason.REVOKED)
        await settled()
        assert (shop.manual.cancellations, shop.table.free) == (0, 1)

    with_a_worker(scenario)


def test_of_two_reasons_to_stop_the_first_counts() -> None:
    async def scenario(shop: Workshop) -> None:
        job_id = await shop.submit_manual()
        started = await shop.start_one()
        shop.runner.launch(started, shop.worker_id)
        await settled()
        for reason in (StopReason.RELEASED, StopReason.REVOKED):
            shop.table.stop(started.attempt_id, reason)
        await settled()
        assert await shop.state(job_id) is JobState.QUEUED

    with_a_worker(scenario)


def test_a_handler_that_cancels_itself_has_failed() -> None:
    class Suicidal(ManualHandler):
        async def run(self, payload: str | None, context: JobContext) -> str | None:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            return await super().run(payload, context)

    async def scenario(shop: Workshop) -> None:
        shop.handlers.register("self", Suicidal())
        job_id = await shop.submit(type="self")
        shop.runner.launch(await shop.start_one(), shop.worker_id)
        await until(lambda: shop.table.free == 2)
        job = await shop.job(job_id)
        assert (job.state, job.last_error) == (JobState.RETRYING, "CancelledError: the handler cancelled itself")

    with_a_worker(scenario)


def test_a_fault_of_the_program_around_the_handler_frees_the_slot_and_is_told() -> None:
    async def scenario(shop: Workshop) -> None:
        def break_down(job_type: str) -> Handler | None:
            raise ZeroDivisionError(job_type)

        await shop.submit_manual()
        started = await shop.start_one()
        shop.handlers.find = break_down  # type: ignore[method-assign] # a fault in the program
        shop.runner.launch(started, shop.worker_id)
        await until(lambda: shop.table.free == 2)
        assert faults(shop) == ["result_lost"]

    with_a_worker(scenario)


def test_a_revocation_that_comes_before_the_attempt_keeps_it_from_beginning() -> None:
    async def scenario(shop: Workshop) -> None:
        await shop.submit_manual()
        started = await shop.start_one()
        shop.worker.revoke(started.attempt_id)
        shop.runner.launch(started, shop.worker_id)
        await until(lambda: shop.table.free == 2)
        assert (shop.manual.contexts, shop.telemetry.ended) == ([], [])

    with_a_worker(scenario)


def test_of_the_revocations_that_came_early_only_the_latest_are_kept_in_mind() -> None:
    async def scenario(shop: Workshop) -> None:
        await shop.submit_manual()
        started = await shop.start_one()
        shop.worker.revoke(started.attempt_id)
        for fence in range(MAX_EARLY_REVOCATIONS):
            shop.worker.revoke(AttemptId(started.job.id, Fence(fence + 100)))
        shop.runner.launch(started, shop.worker_id)
        await until(lambda: len(shop.manual.contexts) == 1)

    with_a_worker(scenario)


def test_an_attempt_that_is_given_up_before_its_handler_began_is_left_alone() -> None:
    async def scenario(shop: Workshop) -> None:
        await shop.submit_manual()
        attempt = RunningAttempt(await shop.start_one(), overdue_at=0)
        attempt.give_up()
        attempt.cancel_handler()
        attempt.leave_running()()
        await settled()
        assert not attempt.outcome.done()

    with_a_worker(scenario)


def test_a_late_release_of_what_does_not_run_here_is_not_kept_in_mind() -> None:
    async def scenario(shop: Workshop) -> None:
        await shop.submit_manual()
        started = await shop.start_one()
        shop.table.stop(started.attempt_id, StopReason.RELEASED)
        shop.runner.launch(started, shop.worker_id)
        await until(lambda: len(shop.manual.contexts) == 1)
        assert shop.manual.cancellations == 0

    with_a_worker(scenario)
