import asyncio

import pytest

from scheduler.adapters.memory.event_bus import MemoryEventBus
from scheduler.adapters.memory.switch import Switch
from scheduler.application.errors import QueueUnavailableError, StoreUnavailableError
from scheduler.domain.events import WorkArrived
from tests.support.builders import a_job, a_new_job
from tests.support.memory import MemoryStoreBackend


def test_a_guarded_port_works_while_it_is_on() -> None:
    switch = Switch(StoreUnavailableError)
    repository = switch.guard(MemoryStoreBackend().repository)
    new = a_new_job()

    async def use() -> bool:
        await repository.add_all([new])
        return await repository.load([new.job.id]) == {new.job.id: new.job}

    assert asyncio.run(use())


def test_a_port_that_is_off_refuses_before_any_effect() -> None:
    backend, switch = MemoryStoreBackend(), Switch(StoreUnavailableError)
    repository, reader = switch.guard(backend.repository), switch.guard(backend.reader)
    job = a_job()

    async def use() -> int:
        switch.off()
        with pytest.raises(StoreUnavailableError):
            await repository.add_all([a_new_job(job)])
        with pytest.raises(StoreUnavailableError):
            await reader.queue_stats()
        switch.on()
        return len(await repository.load([job.id]))

    assert asyncio.run(use()) == 0


def test_a_lost_reply_comes_after_the_effect() -> None:
    switch = Switch(StoreUnavailableError)
    repository = switch.guard(MemoryStoreBackend().repository)
    new = a_new_job()

    async def use() -> int:
        switch.lose_replies()
        with pytest.raises(StoreUnavailableError):
            await repository.add_all([new])
        switch.on()
        return len(await repository.load([new.job.id]))

    assert asyncio.run(use()) == 1


def test_an_event_bus_goes_off_with_its_subscriptions() -> None:
    bus = MemoryEventBus()
    switch = Switch(QueueUnavailableError, when_off=bus.cut_off)
    guarded = switch.guard(bus)

    async def use() -> None:
        async with guarded.subscribe(work=True) as subscription:
            switch.off()
            with pytest.raises(QueueUnavailableError):
                await anext(subscription.events())
        with pytest.raises(QueueUnavailableError):
            await guarded.publish([WorkArrived()])
        with pytest.raises(QueueUnavailableError):
            async with guarded.subscribe():
                pass

    asyncio.run(use())
