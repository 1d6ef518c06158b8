"""Concurrent requests share flushes."""

import asyncio
from collections.abc import Sequence

import pytest

from scheduler.application.errors import OverloadedError, StoreRejectedError, StoreUnavailableError
from scheduler.application.group_commit import FlushLimits, GroupCommit, byte_length
from scheduler.domain.errors import SchedulerError
from tests.unit.application.shop import settled


class Flushes:
    """Answers each request with its items, and remembers the flushes. `gate` holds them back."""

    def __init__(self) -> None:
        self.seen: list[list[list[int]]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.poison: int | None = None
        self.error: Exception | None = None

    async def flush(self, requests: Sequence[Sequence[int]]) -> Sequence[list[int] | SchedulerError]:
        """Flush."""
        self.seen.append([list(request) for request in requests])
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        if any(self.poison in request for request in requests):
            raise StoreRejectedError("poison")
        return [list(request) for request in requests]


def group(
    flushes: Flushes, *, rows: int = 10, in_flight: int = 1, waiting_size: int = 100
) -> GroupCommit[int, list[int]]:
    limits = FlushLimits(rows=rows, size=1000, in_flight=in_flight, waiting_size=waiting_size)
    return GroupCommit(flushes.flush, size_of=lambda _: 1, limits=limits)


def test_what_arrives_during_a_flush_goes_out_together() -> None:
    async def scenario() -> None:
        flushes = Flushes()
        flushes.gate.clear()
        commits = group(flushes)
        first = asyncio.create_task(commits.commit([1]))
        await asyncio.sleep(0)
        others = [asyncio.create_task(commits.commit([number])) for number in (2, 3)]
        await asyncio.sleep(0)
        flushes.gate.set()
        assert await asyncio.gather(first, *others) == [[1], [2], [3]]
        assert flushes.seen == [[[1]], [[2], [3]]]

    asyncio.run(scenario())


def test_a_request_is_never_split_and_a_flush_never_too_large() -> None:
    async def scenario() -> None:
        flushes = Flushes()
        flushes.gate.clear()
        commits = group(flushes, rows=3)
        tasks = [asyncio.create_task(commits.commit(items)) for items in ([1], [2, 3], [4, 5], [6, 7, 8, 9])]
        await asyncio.sleep(0)
        flushes.gate.set()
        await asyncio.gather(*tasks)
        assert flushes.seen == [[[1], [2, 3]], [[4, 5]], [[6, 7, 8, 9]]]

    asyncio.run(scenario())


def test_callers_that_come_again_at_once_always_find_someone_to_flush_for_them() -> None:
    async def scenario() -> None:
        commits = group(Flushes(), rows=1, in_flight=2)

        async def caller(number: int) -> None:
            for _ in range(10):
                await commits.commit([number])

        async with asyncio.timeout(30):
            await asyncio.gather(*(caller(number) for number in range(4)))

    asyncio.run(scenario())


def test_a_refused_flush_is_repeated_in_halves_until_the_culprit_stands_alone() -> None:
    async def scenario() -> None:
        flushes = Flushes()
        flushes.gate.clear()
        commits = group(flushes)
        tasks = [asyncio.create_task(commits.commit([number])) for number in range(5)]
        await asyncio.sleep(0)
        flushes.poison = 3
        flushes.gate.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert [answer for answer in answers if isinstance(answer, list)] == [[0], [1], [2], [4]]
        assert isinstance(answers[3], StoreRejectedError)

    asyncio.run(scenario())


@pytest.mark.parametrize("error", [StoreUnavailableError("away"), ZeroDivisionError()])
def test_any_other_error_goes_to_every_caller(error: Exception) -> None:
    async def scenario() -> None:
        flushes = Flushes()
        flushes.error = error
        commits = group(flushes)
        answers = await asyncio.gather(commits.commit([1]), commits.commit([2]), return_exceptions=True)
        assert [answer is error for answer in answers] == [True, True]
        flushes.error = None
        assert await commits.commit([3]) == [3]

    asyncio.run(scenario())


def test_a_cancelled_caller_does_not_cancel_the_flush() -> None:
    async def scenario() -> None:
        flushes = Flushes()
        flushes.gate.clear()
        commits = group(flushes)
        gone = asyncio.create_task(commits.commit([1]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        gone.cancel()
        stays = asyncio.create_task(commits.commit([2]))
        await asyncio.sleep(0)
        flushes.gate.set()
        assert await stays == [2]
        assert flushes.seen == [[[1]], [[2]]]

    asyncio.run(scenario())


def test_more_than_may_wait_is_refused_but_a_single_large_request_is_not() -> None:
    async def scenario() -> None:
        flushes = Flushes()
        flushes.gate.clear()
        commits = group(flushes, waiting_size=3)
        running = asyncio.create_task(commits.commit(list(range(9))))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting = asyncio.create_task(commits.commit([1, 2, 3]))
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError):
            await commits.commit([4])
        flushes.gate.set()
        await asyncio.gather(running, waiting)

    asyncio.run(scenario())


def test_flushes_overlap_up_to_their_number_and_the_third_waits() -> None:
    async def scenario() -> None:
        flushes = Flushes()
        flushes.gate.clear()
        commits = group(flushes, in_flight=2)
        tasks = []
        for number in range(4):
            tasks.append(asyncio.create_task(commits.commit([number])))
            await settled()
        assert flushes.seen == [[[0]], [[1]]]
        flushes.gate.set()
        assert await asyncio.gather(*tasks) == [[0], [1], [2], [3]]
        assert flushes.seen == [[[0]], [[1]], [[2], [3]]]

    asyncio.run(scenario())


def test_a_flush_that_is_refused_does_not_keep_the_next_from_going_out() -> None:
    async def scenario() -> None:
        flushes = Flushes()
        flushes.poison = 1
        commits = group(flushes)
        first = asyncio.create_task(commits.commit([1]))
        second = asyncio.create_task(commits.commit([2]))
        with pytest.raises(StoreRejectedError):
            await first
        assert await second == [2]

    asyncio.run(scenario())


def test_what_waited_makes_room_once_it_goes_out() -> None:
    async def scenario() -> None:
        flushes = Flushes()
        commits = group(flushes, waiting_size=3)
        for _ in range(3):
            waiting = [asyncio.create_task(commits.commit([1, 2])), asyncio.create_task(commits.commit([3]))]
            await asyncio.gather(*waiting)

    asyncio.run(scenario())


def test_a_flush_is_cut_at_its_size_too() -> None:
    async def scenario() -> None:
        flushes = Flushes()
        limits = FlushLimits(rows=10, size=10, in_flight=1)
        commits = GroupCommit(flushes.flush, size_of=lambda item: item, limits=limits)
        await asyncio.gather(*(commits.commit([size]) for size in (4, 6, 1, 20)))
        assert flushes.seen == [[[4], [6]], [[1]], [[20]]]

    asyncio.run(scenario())


@pytest.mark.parametrize(("text", "length"), [("", 0), ("abc", 3), ("é", 2), ("\N{PILE OF POO}", 4)])
def test_a_text_weighs_its_bytes(text: str, length: int) -> None:
    assert byte_length(text) == length
