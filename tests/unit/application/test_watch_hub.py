"""One reader for all watchers of a process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

from scheduler.application import watch_hub
from scheduler.application.errors import (
    JobNotFoundError,
    ServerStoppingError,
    StoreUnavailableError,
    TooManyWatchersError,
    UnknownVersionError,
)
from scheduler.application.use_cases.cancel_job import CancelJob
from scheduler.application.use_cases.watch_job import WatchJob
from scheduler.application.watch_hub import WatchHub
from scheduler.domain.state import JobState
from tests.support.builders import a_job_id
from tests.unit.application.shop import Shop


@asynccontextmanager
async def served(shop: Shop) -> AsyncIterator[WatchHub]:
    """Run a hub's two loops beside the test."""
    hub = WatchHub(repository=shop.repository, bus=shop.bus, faults=shop.telemetry, randomness=shop.randomness)
    stopping = asyncio.Event()

    async def refresh() -> None:
        while not stopping.is_set():
            try:
                await hub.refresh_once()
            except StoreUnavailableError:
                await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        group.create_task(hub.listen(stopping))
        refreshing = group.create_task(refresh())
        try:
            yield hub
        finally:
            stopping.set()
            refreshing.cancel()


def canceller(shop: Shop) -> CancelJob:
    return CancelJob(transitions=shop.transitions, queue=shop.best_effort, clock=shop.clock)


def test_a_watcher_sees_the_state_at_once_and_the_end_last() -> None:
    async def scenario() -> None:
        shop = Shop()
        job_id = await shop.submit()
        async with served(shop) as hub:
            seen = []
            async for job in WatchJob(hub=hub).execute(job_id):
                seen.append(job.state)
                if job.state is JobState.QUEUED:
                    await canceller(shop).execute(job_id)
            assert seen == [JobState.QUEUED, JobState.CANCELLED]

    asyncio.run(scenario())


def test_a_watcher_that_knows_the_final_version_sees_nothing_more() -> None:
    async def scenario() -> None:
        shop = Shop()
        job_id = await shop.submit()
        await canceller(shop).execute(job_id)
        cancelled = await shop.job(job_id)
        async with served(shop) as hub:
            assert [job async for job in WatchJob(hub=hub).execute(job_id, after_version=cancelled.version)] == []

    asyncio.run(scenario())


def test_a_version_that_the_job_has_not_reached_is_refused() -> None:
    async def scenario() -> None:
        shop = Shop()
        job_id = await shop.submit()
        async with served(shop) as hub:
            with pytest.raises(UnknownVersionError):
                await anext(WatchJob(hub=hub).execute(job_id, after_version=(await shop.job(job_id)).version + 1))

    asyncio.run(scenario())


def test_an_unknown_job_is_not_found() -> None:
    async def scenario() -> None:
        async with served(Shop()) as hub:
            with pytest.raises(JobNotFoundError):
                await anext(WatchJob(hub=hub).execute(a_job_id()))

    asyncio.run(scenario())


def test_a_newcomer_is_refused_while_the_store_is_away_and_an_old_watcher_waits() -> None:
    async def scenario() -> None:
        shop = Shop()
        job_id = await shop.submit()
        async with served(shop) as hub, aclosing(WatchJob(hub=hub).execute(job_id)) as old:
            await anext(old)
            shop.store_switch.off()
            with pytest.raises(StoreUnavailableError):
                await anext(WatchJob(hub=hub).execute(job_id))
            shop.store_switch.on()
            await canceller(shop).execute(job_id)
            assert (await anext(old)).state is JobState.CANCELLED

    asyncio.run(scenario())


def test_without_hints_the_hub_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        shop = Shop()
        job_id = await shop.submit()
        async with served(shop) as hub, aclosing(WatchJob(hub=hub).execute(job_id)) as watch:
            await anext(watch)
            shop.queue_switch.off()
            await canceller(shop).execute(job_id)
            assert (await anext(watch)).state is JobState.CANCELLED
            assert "watch_hints_lost" in {event for event, _ in shop.telemetry.faults}

    monkeypatch.setattr(watch_hub, "POLL_SECONDS_WITHOUT_HINTS", 0.01)
    asyncio.run(scenario())


def test_a_stop_ends_all_watches_now_and_later() -> None:
    async def scenario() -> None:
        shop = Shop()
        job_id = await shop.submit()
        async with served(shop) as hub, aclosing(WatchJob(hub=hub).execute(job_id)) as watch:
            await anext(watch)
            hub.stop()
            with pytest.raises(ServerStoppingError):
                await anext(watch)
            with pytest.raises(ServerStoppingError):
                await anext(WatchJob(hub=hub).execute(job_id))

    asyncio.run(scenario())


def test_watchers_have_a_cap_and_a_closed_watch_frees_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        shop = Shop()
        job_id = await shop.submit()
        async with served(shop) as hub:
            async with aclosing(WatchJob(hub=hub).execute(job_id)) as watch:
                await anext(watch)
                with pytest.raises(TooManyWatchersError):
                    await anext(WatchJob(hub=hub).execute(job_id))
            async with aclosing(WatchJob(hub=hub).execute(job_id)) as watch:
                await anext(watch)

    monkeypatch.setattr(watch_hub, "MAX_WATCHERS", 1)
    asyncio.run(scenario())
