"""What the worker hears from others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from scheduler.application.ports.event_bus import Subscription
from scheduler.domain.events import AttemptRevoked, JobChanged, WorkArrived
from scheduler.domain.ids import AttemptId, Fence, WorkerId
from scheduler.domain.state import JobState
from tests.support.builders import a_job_id, a_worker_id
from tests.unit.application.shop import settled
from tests.unit.application.workshop import Workshop, until, with_a_worker


class Ear:
    """Notes what was revoked."""

    def __init__(self) -> None:
        self.revoked: list[AttemptId] = []

    @asynccontextmanager
    async def listening(self, shop: Workshop) -> AsyncIterator[None]:
        stopping = asyncio.Event()
        listening = asyncio.create_task(shop.wakeups.run(stopping, self.revoked.append))
        try:
            await settled()
            yield
        finally:
            stopping.set()
            await listening


def revocation(worker_id: WorkerId) -> AttemptRevoked:
    return AttemptRevoked(worker_id=worker_id, attempt_id=AttemptId(a_job_id(), Fence(2)))


def test_work_that_arrives_wakes_and_news_of_jobs_does_not() -> None:
    async def scenario(shop: Workshop) -> None:
        changed = JobChanged(job_id=a_job_id(), version=2, state=JobState.QUEUED, attempts=0)
        subscribe = shop.bus.subscribe

        @asynccontextmanager
        async def subscribe_to_the_job_too(
            *, work: bool = False, worker_id: WorkerId | None = None
        ) -> AsyncIterator[Subscription]:
            async with subscribe(work=work, worker_id=worker_id) as subscription:
                await subscription.watch_jobs([changed.job_id])
                yield subscription

        shop.bus.subscribe = subscribe_to_the_job_too  # type: ignore[method-assign] # hears more than it asked for
        async with Ear().listening(shop):
            assert shop.wakeups.hearing
            shop.wakeups.work.clear()
            await shop.bus.publish([changed])
            await settled()
            assert not shop.wakeups.work.is_set()
            await shop.bus.publish([WorkArrived()])
            await settled()
            assert shop.wakeups.work.is_set()

    with_a_worker(scenario)


def test_revocations_reach_the_worker_under_its_newest_name_only() -> None:
    async def scenario(shop: Workshop) -> None:
        ear, old, new = Ear(), a_worker_id(), a_worker_id()
        shop.wakeups.listen_as(old)
        async with ear.listening(shop):
            first = revocation(old)
            await shop.bus.publish([first])
            await settled()
            shop.wakeups.listen_as(new)
            await settled()
            second = revocation(new)
            await shop.bus.publish([revocation(old), second])
            await settled()
            assert ear.revoked == [first.attempt_id, second.attempt_id]

    with_a_worker(scenario)


def test_a_lost_connection_wakes_the_worker_and_is_sought_again() -> None:
    async def scenario(shop: Workshop) -> None:
        async with Ear().listening(shop):
            shop.wakeups.work.clear()
            shop.queue_switch.off()
            await settled()
            assert (shop.wakeups.hearing, shop.wakeups.work.is_set()) == (False, True)
            await until(lambda: [event for event, _ in shop.telemetry.faults] == ["wakeups_lost"] * 3)
            shop.wakeups.work.clear()
            shop.queue_switch.on()
            await until(lambda: shop.wakeups.hearing)
            assert shop.wakeups.work.is_set()

    with_a_worker(scenario)


def test_a_fault_in_the_program_does_not_end_the_listening() -> None:
    async def scenario(shop: Workshop) -> None:
        def break_down(*, work: bool = False, worker_id: WorkerId | None = None) -> None:
            raise ZeroDivisionError

        subscribe = shop.bus.subscribe
        shop.bus.subscribe = break_down  # type: ignore[method-assign,assignment] # a fault in the program
        async with Ear().listening(shop):
            await until(lambda: [type(error) for _, error in shop.telemetry.faults] == [ZeroDivisionError])
            shop.bus.subscribe = subscribe  # type: ignore[method-assign] # repaired
            await until(lambda: shop.wakeups.hearing)

    with_a_worker(scenario)
