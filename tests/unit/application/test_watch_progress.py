"""What watchers see of progress."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta

import pytest

from scheduler.application.dto import ProgressNote
from scheduler.application.use_cases.watch_job import WatchJob
from scheduler.application.watch_hub import POLL_SECONDS, POLL_SECONDS_WITHOUT_HINTS, WatchHub
from scheduler.application.watcher import Watcher
from scheduler.domain.events import JobProgressed
from scheduler.domain.job import Job
from scheduler.domain.progress import Progress
from scheduler.domain.state import JobState
from tests.support.builders import NOW, a_job, a_worker_id, progress_at
from tests.unit.application.shop import Shop, in_virtual_time

MOMENT = timedelta(milliseconds=1)


def said(percent: float, after: int = 0) -> Progress:
    return progress_at(percent, NOW + after * MOMENT)


def hint(job: Job, progress: Progress) -> JobProgressed:
    return JobProgressed(job_id=job.id, version=job.version, progress=progress)


@asynccontextmanager
async def served(shop: Shop) -> AsyncIterator[WatchJob]:
    hub = WatchHub(repository=shop.repository, bus=shop.bus, faults=shop.telemetry, randomness=shop.randomness)
    stopping = asyncio.Event()

    async def refresh() -> None:
        while await hub.refresh_once():
            pass

    async with asyncio.TaskGroup() as group:
        group.create_task(hub.listen(stopping))
        refreshing = group.create_task(refresh())
        try:
            yield WatchJob(hub=hub)
        finally:
            stopping.set()
            refreshing.cancel()


async def a_running_job(shop: Shop) -> Job:
    queued = a_job()
    await shop.store(queued)
    return await shop.moved(queued, queued.start(a_worker_id(), NOW))


def shown(job: Job) -> tuple[int, float | None]:
    return job.version, None if job.progress is None else job.progress.percent


def test_progress_is_shown_at_once_and_again_and_again_and_an_end_ends_it() -> None:
    async def scenario(shop: Shop) -> None:
        job = await a_running_job(shop)
        seen = []
        async with served(shop) as watch_job, asyncio.timeout(1), aclosing(watch_job.execute(job.id)) as watch:
            seen.append(shown(await anext(watch)))
            for number in range(3):
                await asyncio.sleep(0.1)
                await shop.bus.publish([hint(job, said(10 * number, after=number))])
                seen.append(shown(await anext(watch)))
            ended = await shop.moved(job, job.with_progress(said(30, after=9)).succeed(NOW))
            await shop.best_effort.announce([ended])
            seen += [shown(job) async for job in watch]
        assert seen == [(2, None), (2, 0), (2, 10), (2, 20), (3, 30)]

    in_virtual_time(scenario)


@pytest.mark.parametrize(("redis", "seconds"), [(True, POLL_SECONDS), (False, POLL_SECONDS_WITHOUT_HINTS)])
def test_what_the_store_knows_is_shown_at_the_pace_of_the_polls(redis: bool, seconds: float) -> None:  # noqa: FBT001 - a case
    async def scenario(shop: Shop) -> None:
        job = await a_running_job(shop)
        async with served(shop) as watch_job, aclosing(watch_job.execute(job.id)) as watch:
            await anext(watch)
            if not redis:
                shop.queue_switch.off()
            await shop.stored.note_progress(
                [ProgressNote(attempt_id=job.attempt_id, op_id=job.op_id, progress=said(40))]
            )
            async with asyncio.timeout(seconds * 1.3):
                assert shown(await anext(watch)) == (2, 40)

    in_virtual_time(scenario)


def test_a_watch_that_goes_on_after_the_running_version_begins_with_its_progress() -> None:
    async def scenario(shop: Shop) -> None:
        job = await a_running_job(shop)
        await shop.stored.note_progress([ProgressNote(attempt_id=job.attempt_id, op_id=job.op_id, progress=said(40))])
        async with served(shop) as watch_job, aclosing(watch_job.execute(job.id, after_version=2)) as watch:
            assert shown(await anext(watch)) == (2, 40)

    in_virtual_time(scenario)


def test_a_watch_after_a_final_version_is_silent_whatever_the_progress() -> None:
    async def scenario(shop: Shop) -> None:
        ended = a_job(JobState.RUNNING).with_progress(said(40)).succeed(NOW)
        await shop.store(ended)
        async with served(shop) as watch_job:
            assert [job async for job in watch_job.execute(ended.id, after_version=ended.version)] == []

    in_virtual_time(scenario)


def test_progress_of_a_version_that_was_not_read_makes_the_hub_read_and_is_kept_until_then() -> None:
    async def scenario(shop: Shop) -> None:
        queued = a_job()
        await shop.store(queued)
        async with served(shop) as watch_job, asyncio.timeout(1), aclosing(watch_job.execute(queued.id)) as watch:
            await anext(watch)
            await asyncio.sleep(0.1)
            running = await shop.moved(queued, queued.start(a_worker_id(), NOW))
            await shop.bus.publish([hint(running, said(5))])
            while shown(await anext(watch)) != (2, 5):
                pass

    in_virtual_time(scenario)


def watcher_of(job: Job) -> Watcher:
    watcher = Watcher(job.id)
    watcher.show(job)
    return watcher


async def next_of(watcher: Watcher) -> tuple[int, float | None]:
    async with asyncio.timeout(1):
        return shown(await watcher.next())


async def is_silent(watcher: Watcher) -> bool:
    try:
        await next_of(watcher)
    except TimeoutError:
        return True
    return False


def test_a_slow_reader_gets_the_newest_progress_only() -> None:
    async def scenario(_: Shop) -> None:
        job = a_job(JobState.RUNNING)
        watcher = watcher_of(job)
        for number in range(1, 101):
            assert watcher.hear(hint(job, said(number, after=number)))
        assert await next_of(watcher) == (2, 100)
        assert await is_silent(watcher)

    in_virtual_time(scenario)


def test_what_the_store_knew_earlier_does_not_take_progress_back() -> None:
    async def scenario(_: Shop) -> None:
        job = a_job(JobState.RUNNING)
        watcher = watcher_of(job)
        watcher.hear(hint(job, said(50, after=2)))
        await next_of(watcher)
        for earlier in (job, job.with_progress(said(90, after=1)), job.with_progress(said(50, after=2))):
            watcher.show(earlier)
        watcher.hear(hint(job, said(70, after=1)))
        assert await is_silent(watcher)

    in_virtual_time(scenario)


def test_a_percent_may_fall_for_what_was_said_later_counts() -> None:
    async def scenario(_: Shop) -> None:
        job = a_job(JobState.RUNNING)
        watcher = watcher_of(job)
        watcher.hear(hint(job, said(90, after=1)))
        watcher.hear(hint(job, said(10, after=2)))
        assert await next_of(watcher) == (2, 10)

    in_virtual_time(scenario)


def test_progress_of_an_old_version_is_never_shown_after_a_newer_one() -> None:
    async def scenario(_: Shop) -> None:
        old = a_job(JobState.RUNNING)
        new = old.lose(NOW).start(a_worker_id(), NOW)
        watcher = watcher_of(new)
        await next_of(watcher)
        assert watcher.hear(hint(old, said(99, after=9)))
        assert await is_silent(watcher)
        final = new.succeed(NOW)
        watcher.show(final)
        assert await next_of(watcher) == (5, None)
        assert watcher.hear(hint(final, said(1)))
        assert await is_silent(watcher)

    in_virtual_time(scenario)


def test_progress_heard_too_early_is_shown_with_the_state_that_it_belongs_to_and_with_no_other() -> None:
    async def scenario(_: Shop) -> None:
        running = a_job(JobState.RUNNING)
        early, late = Watcher(running.id), Watcher(running.id)
        assert not early.hear(hint(running, said(20)))
        assert not late.hear(hint(running, said(20)))
        early.show(running)
        late.show(running.release(NOW))
        assert await next_of(early) == (2, 20)
        assert await next_of(late) == (3, None)

    in_virtual_time(scenario)
