"""JobQueue: whom it wakes."""

import asyncio
from collections.abc import AsyncIterator

from scheduler.application.dto import QueueEntry
from scheduler.domain.events import Event, JobChanged, WorkArrived
from scheduler.domain.priority import Priority, StrictOrder
from scheduler.domain.state import JobState
from tests.support.backends import QueueBackend, Run
from tests.support.builders import HOUR, MICROSECOND, NOW, a_queue_entry


def entries(priority: Priority, count: int) -> list[QueueEntry]:
    """Make entries of one priority, the oldest first."""
    return [a_queue_entry(priority, NOW + n * MICROSECOND) for n in range(count)]


def test_an_idle_worker_is_woken_once_per_batch(run: Run, broker: QueueBackend) -> None:
    last_word = a_queue_entry()
    ended = JobChanged(job_id=last_word.job_id, version=1, state=JobState.QUEUED, attempts=0)

    async def listen() -> list[Event]:
        async with broker.bus.subscribe(work=True) as subscription:
            await subscription.watch_jobs([last_word.job_id])
            await broker.queue.enqueue_all(entries(Priority.HIGH, 3))
            await broker.queue.give_back(await broker.queue.claim(StrictOrder().plan(3, 0), HOUR))
            await broker.bus.publish([ended])
            return [event async for event in until(ended, subscription.events())]

    assert run(listen()) == [WorkArrived(), WorkArrived(), ended]


async def until(last: Event, events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    """Pass events on up to the last one."""
    async with asyncio.timeout(10):
        async for event in events:
            yield event
            if event == last:
                return
