"""What watchers see when reads are slow, hints are lost and jobs do not stand still."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

from scheduler.adapters.http.progress import LoopProgress
from scheduler.application.errors import JobNotFoundError, StoreRejectedError
from scheduler.application.loops import Loop, LoopServices
from scheduler.application.use_cases.watch_job import WatchJob
from scheduler.application.watch_hub import POLL_SECONDS, WatchHub
from scheduler.application.watcher import Watcher
from scheduler.domain.ids import JobId, WorkerId
from scheduler.domain.job import Job
from scheduler.domain.state import JobState
from tests.support.builders import a_job
from tests.unit.application.shop import Shop, in_virtual_time, settled
from tests.unit.application.workshop import until


@asynccontextmanager
async def served(shop: Shop) -> AsyncIterator[WatchJob]:
    """Run the hub as the API does."""
    hub = WatchHub(repository=shop.repository, bus=shop.bus, faults=shop.telemetry, randomness=shop.randomness)
    stopping = asyncio.Event()
    services = LoopServices(faults=shop.telemetry, progress=LoopProgress(shop.clock), randomness=shop.randomness)
    loop = Loop("watch", hub.refresh_once, interval=0.01, services=services)
    async with asyncio.TaskGroup() as group:
        group.create_task(hub.listen(stopping))
        group.create_task(loop.run(stopping))
        await settled()
        try:
            yield WatchJob(hub=hub)
        finally:
            stopping.set()


class Watch:
    """A stream that is read as fast as it comes."""

    def __init__(self, watch_job: WatchJob, job_id: JobId, after_version: int | None = None) -> None:
        self.seen: list[tuple[int, JobState]] = []
        self.error: Exception | None = None
        self._task = asyncio.create_task(self._follow(watch_job, job_id, after_version))

    async def _follow(self, watch_job: WatchJob, job_id: JobId, after_version: int | None) -> None:
        try:
            async with aclosing(watch_job.execute(job_id, after_version)) as versions:
                async for job in versions:
                    self.seen.append((job.version, job.state))
        except Exception as error:  # noqa: BLE001 - whatever it is, the test looks at it
            self.error = error

    @property
    def ended(self) -> bool:
        return self._task.done()

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])


async def move(shop: Shop, before: Job, after: Job) -> Job:
    """Change a job and tell those who watch it."""
    moved = await shop.moved(before, after)
    await shop.best_effort.announce([moved])
    return moved


async def a_stored_job(shop: Shop) -> Job:
    job = a_job(created_at=shop.clock.now())
    await shop.store(job)
    return job


def test_a_newcomer_is_not_shown_what_was_read_before_it_came() -> None:
    async def scenario(shop: Shop) -> None:
        job = await a_stored_job(shop)
        async with served(shop) as watch_job:
            hold = shop.gate.hold("load")
            early = Watch(watch_job, job.id)
            await hold.reached()
            await shop.moved(job, job.cancel(shop.clock.now()))
            late = Watch(watch_job, job.id, after_version=job.version + 1)
            await settled()
            hold.let_go()
            await until(lambda: late.ended and early.ended, seconds=1)
            assert (late.seen, late.error) == ([], None)
            assert early.seen == [(1, JobState.QUEUED), (2, JobState.CANCELLED)]

    in_virtual_time(scenario)


def test_a_newcomer_is_not_told_that_a_job_is_missing_which_was_stored_before_it_came() -> None:
    async def scenario(shop: Shop) -> None:
        job = a_job(created_at=shop.clock.now())
        async with served(shop) as watch_job:
            hold = shop.gate.hold("load")
            early = Watch(watch_job, job.id)
            await hold.reached()
            await shop.store(job)
            late = Watch(watch_job, job.id)
            await settled()
            hold.let_go()
            await until(lambda: early.ended and bool(late.seen), seconds=1)
            assert isinstance(early.error, JobNotFoundError)
            await late.end()

    in_virtual_time(scenario)


def test_a_change_right_after_the_first_read_brings_a_hint_even_to_those_who_came_during_the_subscription() -> None:
    async def scenario(shop: Shop) -> None:
        first, second = await a_stored_job(shop), await a_stored_job(shop)
        async with served(shop) as watch_job:
            hold = shop.gate.hold("watch_jobs", before=True)
            watches = [Watch(watch_job, first.id)]
            await hold.reached()
            reads = shop.gate.calls.count("load")
            watches.append(Watch(watch_job, second.id))
            await settled()
            hold.let_go()
            await until(lambda: shop.gate.calls.count("load") > reads and bool(watches[1].seen), seconds=1)
            await move(shop, second, second.cancel(shop.clock.now()))
            await until(lambda: watches[1].ended, seconds=0.5)
            await watches[0].end()

    in_virtual_time(scenario)


def test_a_subscription_that_was_lost_while_it_was_asked_does_not_count_for_the_next() -> None:
    async def scenario(shop: Shop) -> None:
        job = await a_stored_job(shop)
        async with served(shop) as watch_job:
            hold = shop.gate.hold("watch_jobs", before=True)
            watch = Watch(watch_job, job.id)
            await hold.reached()
            shop.memory_bus.cut_off()
            await asyncio.sleep(1.5)
            hold.let_go()
            await until(lambda: bool(watch.seen), seconds=1)
            await settled()
            await move(shop, job, job.cancel(shop.clock.now()))
            await until(lambda: watch.ended, seconds=0.5)

    in_virtual_time(scenario)


def test_hints_that_were_lost_with_the_connection_are_made_up_for_when_it_is_back() -> None:
    async def scenario(shop: Shop) -> None:
        job = await a_stored_job(shop)
        async with served(shop) as watch_job:
            watch = Watch(watch_job, job.id)
            await until(lambda: bool(watch.seen))
            shop.memory_bus.cut_off()
            await settled()
            await shop.moved(job, job.cancel(shop.clock.now()))
            await until(lambda: watch.ended, seconds=1)
            other = await a_stored_job(shop)
            await asyncio.sleep(2)
            watch = Watch(watch_job, other.id)
            await until(lambda: bool(watch.seen))
            await move(shop, other, other.cancel(shop.clock.now()))
            await until(lambda: watch.ended, seconds=0.5)

    in_virtual_time(scenario)


def test_a_hint_that_never_came_costs_one_poll() -> None:
    async def scenario(shop: Shop) -> None:
        job = await a_stored_job(shop)
        async with served(shop) as watch_job:
            watch = Watch(watch_job, job.id)
            await until(lambda: bool(watch.seen))
            await shop.moved(job, job.cancel(shop.clock.now()))
            await until(lambda: watch.ended, seconds=POLL_SECONDS + 0.1)

    in_virtual_time(scenario)


def test_hints_about_other_jobs_do_not_put_off_the_poll() -> None:
    async def scenario(shop: Shop) -> None:
        job = await a_stored_job(shop)
        async with served(shop) as watch_job:
            watch = Watch(watch_job, job.id)
            await until(lambda: bool(watch.seen))
            await shop.moved(job, job.cancel(shop.clock.now()))
            for _ in range(round(POLL_SECONDS) + 1):
                await asyncio.sleep(1)
                newcomer = Watch(watch_job, (await a_stored_job(shop)).id)
                await until(lambda new=newcomer: bool(new.seen))  # type: ignore[misc] # bound now, not later
                await newcomer.end()
            assert watch.ended
            await watch.end()

    in_virtual_time(scenario)


def test_a_queue_that_refuses_to_subscribe_delays_a_watch_and_does_not_end_it() -> None:
    async def scenario(shop: Shop) -> None:
        job = await a_stored_job(shop)
        async with served(shop) as watch_job:
            hold = shop.gate.hold("watch_jobs", before=True)
            watch = Watch(watch_job, job.id)
            await hold.reached()
            shop.queue_switch.off()
            hold.let_go()
            await until(lambda: bool(watch.seen), seconds=1)
            await shop.moved(job, job.cancel(shop.clock.now()))
            await until(lambda: watch.ended, seconds=1)

    in_virtual_time(scenario)


def test_jobs_that_nobody_watches_any_more_are_neither_heard_nor_read() -> None:
    async def scenario(shop: Shop) -> None:
        job, other = await a_stored_job(shop), await a_stored_job(shop)
        async with served(shop) as watch_job:
            watch, stays = Watch(watch_job, job.id), Watch(watch_job, other.id)
            await until(lambda: bool(watch.seen and stays.seen))
            await watch.end()
            await asyncio.sleep(POLL_SECONDS + 1)
            assert "unwatch_jobs" in shop.gate.calls
            reads = shop.gate.calls.count("load")
            await move(shop, job, job.cancel(shop.clock.now()))
            await settled()
            assert shop.gate.calls.count("load") == reads
            await stays.end()
            reads = shop.gate.calls.count("load")
            await asyncio.sleep(60)
            assert shop.gate.calls.count("load") == reads

    in_virtual_time(scenario)


def test_all_watchers_are_served_by_one_read() -> None:
    async def scenario(shop: Shop) -> None:
        jobs = [await a_stored_job(shop) for _ in range(20)]
        async with served(shop) as watch_job:
            before = shop.gate.calls.count("load")
            watches = [Watch(watch_job, job.id) for job in jobs for _ in range(3)]
            await until(lambda: all(watch.seen for watch in watches), seconds=1)
            assert shop.gate.calls.count("load") - before <= 2
            for watch in watches:
                await watch.end()

    in_virtual_time(scenario)


def test_versions_only_grow_and_the_newest_is_never_skipped() -> None:
    async def scenario(shop: Shop) -> None:
        first = job = await a_stored_job(shop)
        async with served(shop) as watch_job:
            watch = Watch(watch_job, job.id)
            for _ in range(20):
                running = await move(shop, job, job.start(WorkerId(job.id), shop.clock.now()))
                job = await move(shop, running, running.release(shop.clock.now()))
                await shop.best_effort.announce([running])
            await move(shop, job, job.cancel(shop.clock.now()))
            await until(lambda: watch.ended, seconds=1)
            versions = [version for version, _ in watch.seen]
            assert versions == sorted(set(versions))
            assert watch.seen[-1] == (first.version + 41, JobState.CANCELLED)

    in_virtual_time(scenario)


def test_a_job_that_is_queued_again_after_its_end_can_be_watched_on() -> None:
    async def scenario(shop: Shop) -> None:
        job = await a_stored_job(shop)
        cancelled = await shop.moved(job, job.cancel(shop.clock.now()))
        async with served(shop) as watch_job:
            queued = await move(shop, cancelled, cancelled.requeue(shop.clock.now()))
            watch = Watch(watch_job, job.id, after_version=cancelled.version)
            await until(lambda: bool(watch.seen))
            await move(shop, queued, queued.cancel(shop.clock.now()))
            await until(lambda: watch.ended, seconds=1)
            assert watch.seen == [(queued.version, JobState.QUEUED), (queued.version + 1, JobState.CANCELLED)]

    in_virtual_time(scenario)


def test_a_job_that_is_purged_while_it_is_watched_is_not_found() -> None:
    async def scenario(shop: Shop) -> None:
        job = await a_stored_job(shop)
        async with served(shop) as watch_job:
            watch = Watch(watch_job, job.id)
            await until(lambda: bool(watch.seen))
            await shop.forget(job.id)
            await until(lambda: watch.ended, seconds=POLL_SECONDS + 0.1)
            assert isinstance(watch.error, JobNotFoundError)

    in_virtual_time(scenario)


def test_watches_outlive_an_outage_and_catch_up_after_it() -> None:
    async def scenario(shop: Shop) -> None:
        job = await a_stored_job(shop)
        async with served(shop) as watch_job:
            watch = Watch(watch_job, job.id)
            await until(lambda: bool(watch.seen))
            shop.store_switch.off()
            await move(shop, job, job.cancel(shop.clock.now()))
            await asyncio.sleep(60)
            assert not watch.ended
            shop.store_switch.on()
            await until(lambda: watch.ended, seconds=6.1)
            assert watch.seen[-1] == (2, JobState.CANCELLED)

    in_virtual_time(scenario)


def test_a_newcomer_is_told_of_any_error_of_the_store() -> None:
    async def scenario(shop: Shop) -> None:
        job = await a_stored_job(shop)

        async def refuse(ids: object, *, strict: bool = False) -> dict[JobId, Job]:
            raise StoreRejectedError("no")

        async with served(shop) as watch_job:
            shop.repository.load = refuse  # type: ignore[method-assign] # a store of its own mind
            watch = Watch(watch_job, job.id)
            await until(lambda: watch.ended, seconds=1)
            assert isinstance(watch.error, StoreRejectedError)

    in_virtual_time(scenario)


def test_a_fault_in_the_program_does_not_end_the_listening() -> None:
    async def scenario(shop: Shop) -> None:
        job = await a_stored_job(shop)

        def break_down() -> None:
            raise ZeroDivisionError

        subscribe = shop.bus.subscribe
        shop.bus.subscribe = break_down  # type: ignore[method-assign,assignment] # a fault in the program
        async with served(shop) as watch_job:
            watch = Watch(watch_job, job.id)
            await until(lambda: bool(watch.seen), seconds=1)
            shop.bus.subscribe = subscribe  # type: ignore[method-assign] # repaired
            await asyncio.sleep(2)
            await move(shop, job, job.cancel(shop.clock.now()))
            await until(lambda: watch.ended, seconds=0.5)
            assert {type(error) for _, error in shop.telemetry.faults} == {ZeroDivisionError}

    in_virtual_time(scenario)


@pytest.mark.parametrize("count", [1, 3])
def test_a_watch_that_is_closed_frees_its_place(count: int) -> None:
    async def scenario(shop: Shop) -> None:
        job = await a_stored_job(shop)
        async with served(shop) as watch_job:
            watches = [Watch(watch_job, job.id) for _ in range(count)]
            await until(lambda: all(watch.seen for watch in watches))
            for watch in watches[:-1]:
                await watch.end()
            await move(shop, job, job.cancel(shop.clock.now()))
            await until(lambda: watches[-1].ended, seconds=0.5)

    in_virtual_time(scenario)


def test_a_watcher_keeps_the_newest_state_whatever_is_offered_after_it() -> None:
    async def scenario() -> None:
        queued = a_job()
        cancelled = queued.cancel(queued.created_at)
        watcher = Watcher(queued.id)
        assert not watcher.has_state
        watcher.show(cancelled)
        watcher.show(queued)
        assert await watcher.next() is cancelled
        watcher.show(cancelled)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(watcher.next(), 0.01)

    asyncio.run(scenario())
