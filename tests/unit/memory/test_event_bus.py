import asyncio
from contextlib import AbstractAsyncContextManager
from threading import Thread

import pytest

from scheduler.adapters.memory.event_bus import MemoryEventBus
from scheduler.application.errors import QueueUnavailableError
from scheduler.application.ports.event_bus import Subscription
from scheduler.domain.events import Event, WorkArrived


def test_events_cross_threads_and_event_loops() -> None:
    bus = MemoryEventBus()

    async def listen() -> Event:
        async with bus.subscribe(work=True) as subscription:
            publisher = Thread(target=asyncio.run, args=(bus.publish([WorkArrived()]),))
            publisher.start()
            async with asyncio.timeout(10):
                event = await anext(subscription.events())
            publisher.join()
            return event

    assert asyncio.run(listen()) == WorkArrived()


def test_a_subscription_that_was_cut_off_ends_with_an_error() -> None:
    bus = MemoryEventBus()

    async def listen() -> int:
        async with bus.subscribe(work=True) as subscription:
            await bus.publish([WorkArrived()])
            bus.cut_off()
            return await heard_before_the_end(subscription)

    assert asyncio.run(listen()) == 1


async def heard_before_the_end(subscription: Subscription) -> int:
    events, heard = subscription.events(), 0
    try:
        async for _ in events:
            heard += 1
    except QueueUnavailableError:
        return heard
    pytest.fail("the subscription ended without an error")


def test_a_listener_whose_loop_has_ended_disturbs_nobody() -> None:
    bus = MemoryEventBus()
    left_open = bus.subscribe(work=True)
    asyncio.run(_enter(left_open))

    asyncio.run(bus.publish([WorkArrived()]))


async def _enter(subscription: AbstractAsyncContextManager[object]) -> None:
    await subscription.__aenter__()


def test_a_listener_far_behind_loses_hints_and_not_the_memory() -> None:
    bus = MemoryEventBus()

    async def fall_behind() -> int:
        async with bus.subscribe(work=True) as subscription:
            await bus.publish([WorkArrived()] * 25_000)
            bus.cut_off()
            return await heard_before_the_end(subscription)

    assert asyncio.run(fall_behind()) == 10_000
