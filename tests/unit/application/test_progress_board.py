"""What becomes of what handlers say, between them and the watchers and the store."""

import asyncio
import math
from bisect import bisect_left
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest

from scheduler.application.dto import ProgressNote
from scheduler.application.errors import StoreRejectedError
from scheduler.application.worker.progress import STORE_SECONDS
from scheduler.domain.errors import InvalidFieldError
from scheduler.domain.events import Event, JobProgressed
from scheduler.domain.ids import JobId
from scheduler.domain.job import Job
from scheduler.domain.state import JobState
from tests.support.builders import NOW, a_job, a_worker_id
from tests.unit.application.shop import Shop, in_virtual_time, settled
from tests.unit.application.workshop import Workshop, until, with_a_worker

SECONDS = 60


class Observed:
    """A board at work, and what it told and wrote, each with its time."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.told: list[tuple[float, Sequence[JobProgressed]]] = []
        self.written: list[tuple[float, Sequence[ProgressNote]]] = []
        self._publish, self._note = shop.memory_bus.publish, shop.stored.note_progress
        shop.memory_bus.publish = self.publish  # type: ignore[method-assign] # to count what passes
        shop.stored.note_progress = self.note_progress  # type: ignore[method-assign] # to count what passes

    async def publish(self, events: Sequence[Event]) -> None:
        progressed = [event for event in events if isinstance(event, JobProgressed)]
        if progressed:
            self.told.append((self.shop.clock.monotonic(), progressed))
        await self._publish(events)

    async def note_progress(self, notes: Sequence[ProgressNote]) -> frozenset[JobId]:
        if notes:
            self.written.append((self.shop.clock.monotonic(), notes))
        return await self._note(notes)

    def told_of(self, job: Job) -> list[float]:
        return [at for at, events in self.told for event in events if event.job_id == job.id]

    def last_of(self, job: Job) -> str | None:
        messages = [event.progress.message for _, events in self.told for event in events if event.job_id == job.id]
        return messages[-1] if messages else None

    @property
    def faults(self) -> set[str]:
        return {event for event, _ in self.shop.telemetry.faults}


@asynccontextmanager
async def at_work(shop: Shop) -> AsyncIterator[Observed]:
    observed, stopping = Observed(shop), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(shop.board.run(stopping))
        await settled()
        try:
            yield observed
        finally:
            stopping.set()


async def a_running_job(shop: Shop) -> Job:
    queued = a_job()
    await shop.store(queued)
    return await shop.moved(queued, queued.start(a_worker_id(), NOW))


def most_in_a_second(times: Sequence[float]) -> int:
    return max(bisect_left(times, at + 1.0) - number for number, at in enumerate(times))


def test_however_often_a_handler_talks_watchers_hear_of_it_at_most_five_times_a_second_and_the_store_every_two() -> (
    None
):
    async def scenario(shop: Shop) -> None:
        jobs = [await a_running_job(shop) for _ in range(3)]
        async with at_work(shop) as board:
            reports = [shop.board.open(job) for job in jobs]
            for number in range(SECONDS * 100):
                for report in reports:
                    report(100 * number / (SECONDS * 100), f"step {number}")
                await asyncio.sleep(0.01)
            await asyncio.sleep(STORE_SECONDS * 2)
            for job in jobs:
                assert most_in_a_second(board.told_of(job)) <= 5
                assert len(board.told_of(job)) > SECONDS * 3
                stored = (await shop.job(job.id)).progress
                assert stored is not None
                assert stored.message == f"step {SECONDS * 100 - 1}"
            times = [at for at, _ in board.written]
            assert all(later - earlier >= STORE_SECONDS for earlier, later in pairwise(times))
            assert SECONDS / 4 < len(times) <= SECONDS / 2 + 1
            assert all(len(notes) == 3 for _, notes in board.written)
            assert {len(events) for _, events in board.told} == {3}

    in_virtual_time(scenario)


def test_the_first_word_and_the_last_are_told_at_once() -> None:
    async def scenario(shop: Shop) -> None:
        job = await a_running_job(shop)
        async with at_work(shop) as board:
            report = shop.board.open(job)
            await asyncio.sleep(10)
            for percent in (1, 2, 3, 99):
                report(percent, "")
            await asyncio.sleep(0.01)
            assert [event.progress.percent for _, (event,) in board.told] == [99]
            report(100, "")
            await asyncio.sleep(0.4)
            assert [event.progress.percent for _, (event,) in board.told] == [99, 100]
            assert [event.version for _, (event,) in board.told] == [job.version] * 2

    in_virtual_time(scenario)


def test_a_board_on_which_nothing_is_new_does_nothing() -> None:
    async def scenario(shop: Shop) -> None:
        job = await a_running_job(shop)
        async with at_work(shop) as board:
            shop.board.open(job)(50, "")
            await asyncio.sleep(STORE_SECONDS * 2)
            calls = len(shop.gate.calls)
            await asyncio.sleep(1000)
            assert len(shop.gate.calls) == calls
            assert (len(board.told), len(board.written)) == (1, 1)

    in_virtual_time(scenario)


def test_notes_of_an_attempt_that_ended_are_dropped_and_nothing_of_it_is_kept() -> None:
    async def scenario(shop: Shop) -> None:
        jobs = [await a_running_job(shop) for _ in range(100)]
        async with at_work(shop) as board:
            for job in jobs:
                report = shop.board.open(job)
                report(10, "")
                shop.board.close(job.attempt_id)
                report(20, "too late")
                assert shop.board.hand_over(job.attempt_id) is None
            await asyncio.sleep(STORE_SECONDS * 2)
            assert (board.told, board.written) == ([], [])

    in_virtual_time(scenario)


def test_what_the_result_carries_is_not_written_by_itself() -> None:
    async def scenario(shop: Shop) -> None:
        job = await a_running_job(shop)
        async with at_work(shop) as board:
            shop.board.open(job)(10, "almost")
            said = shop.board.hand_over(job.attempt_id)
            assert said is not None
            assert (said.percent, said.message) == (10, "almost")
            await asyncio.sleep(STORE_SECONDS * 2)
            assert (len(board.told), len(board.written)) == (1, 0)

    in_virtual_time(scenario)


def test_notes_made_at_the_same_moment_keep_their_order() -> None:
    async def scenario(shop: Shop) -> None:
        job = await a_running_job(shop)
        report = shop.board.open(job)
        times = []
        for percent in (30, 20, 10):
            report(percent, "")
            said = shop.board.hand_over(job.attempt_id)
            assert said is not None
            times.append(said.at)
        assert times == sorted(set(times))

    in_virtual_time(scenario)


@pytest.mark.parametrize("percent", [math.nan, 101, -1, "50", None])
def test_a_percent_that_is_none_is_the_handlers_error_and_changes_nothing(percent: Any) -> None:  # noqa: ANN401 - what a careless handler passes
    async def scenario(shop: Shop) -> None:
        job = await a_running_job(shop)
        async with at_work(shop) as board:
            report = shop.board.open(job)
            with pytest.raises(InvalidFieldError, match=r"^percent: "):
                report(percent, "")
            await asyncio.sleep(STORE_SECONDS * 2)
            assert (board.told, board.written, shop.board.hand_over(job.attempt_id)) == ([], [], None)

    in_virtual_time(scenario)


def test_without_redis_the_store_learns_of_progress_and_the_fault_is_noted() -> None:
    async def scenario(shop: Shop) -> None:
        job = await a_running_job(shop)
        async with at_work(shop) as board:
            shop.queue_switch.off()
            shop.board.open(job)(50, "")
            await asyncio.sleep(STORE_SECONDS * 2)
            assert (len(board.told), len(board.written)) == (0, 1)
            assert "queue_command_skipped" in board.faults

    in_virtual_time(scenario)


def test_without_the_store_watchers_hear_of_progress_and_the_store_is_told_when_it_is_back() -> None:
    async def scenario(shop: Shop) -> None:
        job, ended = await a_running_job(shop), await a_running_job(shop)
        async with at_work(shop) as board:
            shop.store_switch.off()
            for each in (job, ended):
                shop.board.open(each)(50, "")
            await asyncio.sleep(30)
            shop.board.close(ended.attempt_id)
            assert len(board.told) == 1
            assert "progress_store_failed" in board.faults
            shop.store_switch.on()
            await asyncio.sleep(10)
            ((_, (note,)),) = board.written
            assert note.attempt_id == job.attempt_id

    in_virtual_time(scenario)


def test_a_note_that_the_store_refuses_does_not_come_back() -> None:
    async def scenario(shop: Shop) -> None:
        job = await a_running_job(shop)

        async def refuse(notes: Sequence[ProgressNote]) -> frozenset[JobId]:
            raise StoreRejectedError(str(notes))

        async with at_work(shop) as board:
            shop.stored.note_progress = refuse  # type: ignore[method-assign] # what a store of another kind may do
            shop.board.open(job)(50, "")
            await asyncio.sleep(60)
            assert [event for event, _ in shop.telemetry.faults] == ["progress_store_failed"]
            assert board.written == []

    in_virtual_time(scenario)


def test_what_was_said_before_the_board_was_at_work_is_told_then() -> None:
    async def scenario(shop: Shop) -> None:
        job = await a_running_job(shop)
        shop.board.open(job)(50, "")
        async with at_work(shop) as board:
            await asyncio.sleep(STORE_SECONDS * 2)
            assert (len(board.told), len(board.written)) == (1, 1)

    in_virtual_time(scenario)


def test_a_board_that_has_stopped_keeps_the_last_word_for_the_result_and_tells_nobody() -> None:
    async def scenario(shop: Shop) -> None:
        job = await a_running_job(shop)
        async with at_work(shop) as board:
            report = shop.board.open(job)
        report(60, "")
        await asyncio.sleep(10)
        said = shop.board.hand_over(job.attempt_id)
        assert said is not None
        assert (said.percent, board.told, board.written) == (60, [], [])

    in_virtual_time(scenario)


def test_many_threads_may_talk_at_once_and_the_last_word_of_each_is_kept() -> None:
    words = 500

    async def talk() -> None:
        shop = Shop()
        jobs = [await a_running_job(shop) for _ in range(4)]
        async with at_work(shop) as board:

            def say(job: Job) -> None:
                report = shop.board.open(job)
                for word in range(words):
                    report(word / words, str(word))

            loop = asyncio.get_running_loop()
            with ThreadPoolExecutor(4) as threads:
                async with asyncio.timeout(60):
                    await asyncio.gather(*(loop.run_in_executor(threads, say, job) for job in jobs))
            for job in jobs:
                said = shop.board.hand_over(job.attempt_id)
                assert said is not None
                assert said.message == str(words - 1)
            await until(lambda: all(board.last_of(job) == str(words - 1) for job in jobs))

    asyncio.run(talk())


@pytest.mark.parametrize(("error", "state"), [(None, JobState.SUCCEEDED), (ValueError("no"), JobState.RETRYING)])
def test_the_result_brings_the_last_word_to_the_job(error: Exception | None, state: JobState) -> None:
    async def scenario(shop: Workshop) -> None:
        job_id = await shop.submit_manual()
        shop.runner.launch(await shop.start_one(), shop.worker_id)
        await settled()
        (context,) = shop.manual.contexts
        shop.manual.error = error
        context.progress(12.5, "half of a quarter")
        shop.manual.end()
        await settled()
        job = await shop.job(job_id)
        assert job.state is state
        assert job.progress is not None
        assert (job.progress.percent, job.progress.message) == (12.5, "half of a quarter")
        context.progress(99)
        assert shop.board.hand_over(context.attempt_id) is None

    with_a_worker(scenario)


def test_a_released_attempt_leaves_its_last_word_and_the_next_one_starts_without() -> None:
    async def scenario(shop: Workshop) -> None:
        job_id = await shop.submit_manual()
        started = await shop.start_one()
        shop.runner.launch(started, shop.worker_id)
        await settled()
        shop.manual.contexts[0].progress(40)
        shop.worker.lease_suspended()
        await settled()
        released = await shop.job(job_id)
        assert (released.state, released.progress and released.progress.percent) == (JobState.QUEUED, 40)
        assert (await shop.start_one()).job.progress is None

    with_a_worker(scenario)
