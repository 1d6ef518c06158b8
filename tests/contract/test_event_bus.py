"""EventBus."""

import asyncio
from contextlib import AsyncExitStack

from scheduler.application.ports.event_bus import Subscription
from scheduler.domain.events import AttemptRevoked, Event, JobChanged, JobProgressed, WorkArrived
from scheduler.domain.ids import AttemptId, Fence, JobId
from scheduler.domain.progress import Progress
from scheduler.domain.state import JobState
from tests.support.backends import QueueBackend, Run
from tests.support.builders import MICROSECOND, NOW, a_job_id, a_worker_id, progress_at


def changed(job_id: JobId, version: int = 2) -> JobChanged:
    return JobChanged(job_id=job_id, version=version, state=JobState.RUNNING, attempts=3)


def progressed(job_id: JobId, progress: Progress) -> JobProgressed:
    return JobProgressed(job_id=job_id, version=2**40, progress=progress)


async def heard_until(last: Event, subscription: Subscription) -> list[Event]:
    """Collect events up to the last one, which must come."""
    heard: list[Event] = []
    events = subscription.events()
    async with asyncio.timeout(10):
        while last not in heard:
            heard.append(await anext(events))
    return heard


def test_each_of_several_workers_hears_of_work(run: Run, broker: QueueBackend) -> None:
    async def listen() -> list[list[Event]]:
        async with AsyncExitStack() as stack:
            listeners = [await stack.enter_async_context(broker.bus.subscribe(work=True)) for _ in range(3)]
            await broker.bus.publish([WorkArrived()])
            return [await heard_until(WorkArrived(), each) for each in listeners]

    assert run(listen()) == [[WorkArrived()]] * 3


def test_a_subscription_hears_only_what_it_asked_for(run: Run, broker: QueueBackend) -> None:
    watched, other, mine, theirs = a_job_id(), a_job_id(), a_worker_id(), a_worker_id()
    attempt = AttemptId(a_job_id(), Fence(2**40))
    everything: tuple[Event, ...] = (
        WorkArrived(),
        changed(other),
        progressed(other, progress_at(50)),
        AttemptRevoked(worker_id=theirs, attempt_id=attempt),
        AttemptRevoked(worker_id=mine, attempt_id=attempt),
        changed(watched),
    )

    async def listen() -> list[Event]:
        async with broker.bus.subscribe(worker_id=mine) as subscription:
            await subscription.watch_jobs([watched])
            await broker.bus.publish(everything)
            return await heard_until(everything[-1], subscription)

    assert run(listen()) == [everything[-2], everything[-1]]


def test_an_event_comes_as_it_was_sent_and_in_order(run: Run, broker: QueueBackend) -> None:
    job_id = a_job_id()
    sent = [JobChanged(job_id=job_id, version=n + 1, state=state, attempts=n % 4) for n, state in enumerate(JobState)]

    async def listen() -> list[Event]:
        async with broker.bus.subscribe() as subscription:
            await subscription.watch_jobs([job_id])
            await broker.bus.publish(sent[:3])
            await broker.bus.publish(sent[3:])
            return await heard_until(sent[-1], subscription)

    assert run(listen()) == sent


def test_progress_comes_as_it_was_said_and_in_order(run: Run, broker: QueueBackend) -> None:
    job_id = a_job_id()
    said = [
        progress_at(0, message=""),
        progress_at(1 / 3, NOW + MICROSECOND, "é\n'%s' progress 1 2 3"),
        progress_at(1e-06, message="x" * 256),
        progress_at(100, message=" "),
    ]
    sent = [progressed(job_id, each) for each in said]

    async def listen() -> list[Event]:
        async with broker.bus.subscribe() as subscription:
            await subscription.watch_jobs([job_id])
            await broker.bus.publish([*sent[:2], changed(job_id)])
            await broker.bus.publish(sent[2:])
            return await heard_until(sent[-1], subscription)

    assert run(listen()) == [*sent[:2], changed(job_id), *sent[2:]]


def test_a_job_can_be_watched_and_unwatched_at_any_time(run: Run, broker: QueueBackend) -> None:
    first, second, third = (a_job_id() for _ in range(3))

    async def listen() -> list[list[Event]]:
        async with broker.bus.subscribe() as subscription:
            await subscription.watch_jobs([first, second])
            await broker.bus.publish([changed(third, 2), changed(first, 2)])
            before = await heard_until(changed(first, 2), subscription)
            await subscription.unwatch_jobs([first])
            await subscription.watch_jobs([third])
            await broker.bus.publish([changed(first, 3), changed(third, 3), changed(second, 3)])
            return [before, await heard_until(changed(second, 3), subscription)]

    assert run(listen()) == [[changed(first, 2)], [changed(third, 3), changed(second, 3)]]


def test_what_was_sent_before_is_not_heard(run: Run, broker: QueueBackend) -> None:
    job_id = a_job_id()

    async def listen() -> list[Event]:
        await broker.bus.publish([WorkArrived(), changed(job_id, 2)])
        async with broker.bus.subscribe() as subscription:
            await subscription.watch_jobs([job_id])
            await broker.bus.publish([changed(job_id, 3)])
            return await heard_until(changed(job_id, 3), subscription)

    assert run(listen()) == [changed(job_id, 3)]


def test_the_end_of_one_subscription_leaves_the_others(run: Run, broker: QueueBackend) -> None:
    job_id = a_job_id()

    async def listen() -> list[Event]:
        async with broker.bus.subscribe() as staying:
            await staying.watch_jobs([job_id])
            async with broker.bus.subscribe() as leaving:
                await leaving.watch_jobs([job_id])
                await broker.bus.publish([changed(job_id, 2)])
                await heard_until(changed(job_id, 2), leaving)
            await broker.bus.publish([changed(job_id, 3)])
            return await heard_until(changed(job_id, 3), staying)

    assert run(listen()) == [changed(job_id, 2), changed(job_id, 3)]


def test_publishing_nothing_or_to_nobody_is_fine(run: Run, broker: QueueBackend) -> None:
    run(broker.bus.publish([]))
    run(broker.bus.publish([WorkArrived(), changed(a_job_id())]))
