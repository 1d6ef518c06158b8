"""A running job that is cancelled: its slot is free at once, and how long that took is measured."""

from datetime import timedelta

import pytest

from scheduler.application.use_cases.cancel_job import CancelJob
from scheduler.application.worker.attempt import StopReason
from scheduler.domain.ids import JobId
from scheduler.domain.state import JobState
from tests.unit.application.workshop import LEASE_SECONDS, Workshop, until, with_a_worker

RENEWAL = timedelta(seconds=LEASE_SECONDS / 3)
A_MOMENT = timedelta(seconds=0.1)


async def cancel(shop: Workshop, job_id: JobId) -> None:
    use_case = CancelJob(transitions=shop.transitions, queue=shop.best_effort, clock=shop.clock)
    assert await use_case.execute(job_id)


@pytest.mark.parametrize("stubborn", [False, True])
def test_the_slot_is_free_at_once_however_long_the_handler_takes_to_clean_up(*, stubborn: bool) -> None:
    async def scenario(shop: Workshop) -> None:
        shop.manual.stubborn = stubborn
        async with shop.working(grace_seconds=0):
            job_id = await shop.submit_manual()
            await until(lambda: len(shop.manual.contexts) == 1)
            await cancel(shop, job_id)
            await until(lambda: shop.table.free == 1, seconds=0.1)
            await until(lambda: shop.manual.cancellations == 1, seconds=0.1)
            assert shop.manual.contexts[0].cancelled
            await shop.submit_manual()
            await until(lambda: len(shop.manual.contexts) == 2, seconds=0.1)
            assert await shop.state(job_id) is JobState.CANCELLED
        assert shop.telemetry.stale == []

    with_a_worker(scenario, slots=1)


@pytest.mark.parametrize(("redis", "longest"), [(True, A_MOMENT), (False, RENEWAL + A_MOMENT)])
def test_the_latency_is_measured_whichever_way_the_worker_learned_of_it(*, redis: bool, longest: timedelta) -> None:
    async def scenario(shop: Workshop) -> None:
        async with shop.working(grace_seconds=0):
            job_id = await shop.submit_manual()
            await until(lambda: len(shop.manual.contexts) == 1)
            if not redis:
                shop.queue_switch.off()
            before = shop.clock.now()
            await cancel(shop, job_id)
            await until(lambda: bool(shop.telemetry.cancel_latencies))
            (latency,) = shop.telemetry.cancel_latencies
            assert timedelta(0) <= latency <= longest
            assert latency <= shop.clock.now() - before

    with_a_worker(scenario)


def test_what_lost_its_job_otherwise_is_no_cancel() -> None:
    async def scenario(shop: Workshop) -> None:
        await shop.submit_manual()
        started = await shop.start_one()
        shop.runner.launch(started, shop.worker_id)
        shop.table.stop(started.attempt_id, StopReason.REVOKED)
        await until(lambda: shop.table.free == 2)
        await shop.cancellations.execute()
        loads = shop.gate.calls.count("load")
        await shop.cancellations.execute()
        assert shop.telemetry.cancel_latencies == []
        assert shop.gate.calls.count("load") == loads, "it is looked at once"

    with_a_worker(scenario)
