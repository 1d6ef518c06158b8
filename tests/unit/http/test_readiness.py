import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from scheduler.adapters.memory.fixed_clock import FixedClock
from scheduler.application.ports.health import Dependency, DependencyStatus
from scheduler.application.readiness import ReadinessCheck
from tests.support.builders import SECOND

A_MOMENT = timedelta(milliseconds=20)


class Part(Dependency):
    """A dependency that counts how often it is probed, and does something before it answers."""

    def __init__(self, before: Callable[[], Awaitable[object]] = lambda: asyncio.sleep(0)) -> None:
        self.before = before
        self.probes = 0

    async def check(self) -> DependencyStatus:
        self.probes += 1
        await self.before()
        return DependencyStatus(name="queue", ok=True, required=False, latency=timedelta(0))


async def never() -> None:
    await asyncio.Event().wait()


def test_a_storm_of_questions_is_one_probe() -> None:
    async def scenario() -> None:
        part = Part()
        check = ReadinessCheck(dependencies=[part], clock=FixedClock())

        answers = await asyncio.gather(*(check.check() for _ in range(100)))

        assert part.probes == 1
        assert all(answer.ready and not answer.degraded for answer in answers)

    asyncio.run(scenario())


def test_an_answer_is_kept_for_a_second() -> None:
    async def scenario() -> None:
        part, clock = Part(), FixedClock()
        check = ReadinessCheck(dependencies=[part], clock=clock)

        for step in (0 * SECOND, SECOND / 2, SECOND / 2):
            clock.advance(step)
            await check.check()

        assert part.probes == 2

    asyncio.run(scenario())


def test_dependencies_are_probed_at_the_same_time() -> None:
    async def scenario() -> None:
        both_are_asked = asyncio.Barrier(2)
        check = ReadinessCheck(dependencies=[Part(both_are_asked.wait), Part(both_are_asked.wait)], clock=FixedClock())

        answer = await check.check()

        assert [status.ok for status in answer.dependencies] == [True, True]

    asyncio.run(scenario())


def test_a_silent_dependency_counts_as_required_until_it_is_known() -> None:
    async def scenario() -> None:
        check = ReadinessCheck(dependencies=[Part(never)], clock=FixedClock(), time_limit=A_MOMENT)

        answer = await check.check()

        assert not answer.ready
        assert answer.dependencies[0].name == "Part"
        assert answer.dependencies[0].detail == "no answer in time"

    asyncio.run(scenario())


def test_a_known_dependency_that_falls_silent_keeps_its_name_and_weight() -> None:
    async def scenario() -> None:
        part, clock = Part(), FixedClock()
        check = ReadinessCheck(dependencies=[part], clock=clock, time_limit=SECOND)
        await check.check()
        part.before = never
        clock.advance(SECOND)

        answer = await check.check()

        assert (answer.ready, answer.degraded) == (True, True)
        assert answer.dependencies[0].name == "queue"

    asyncio.run(scenario())


def test_a_caller_that_goes_away_does_not_take_the_answer_from_the_next() -> None:
    async def scenario() -> None:
        asked = asyncio.Event()

        async def tell_and_wait() -> None:
            asked.set()
            await never()

        part = Part(tell_and_wait)
        check = ReadinessCheck(dependencies=[part], clock=FixedClock())
        first, second = asyncio.create_task(check.check()), asyncio.create_task(check.check())
        await asked.wait()
        part.before = lambda: asyncio.sleep(0)

        first.cancel()

        assert (await second).ready
        with pytest.raises(asyncio.CancelledError):
            await first

    asyncio.run(scenario())


def test_whoever_waits_while_the_process_begins_to_stop_learns_it() -> None:
    async def scenario() -> None:
        part = Part()
        check = ReadinessCheck(dependencies=[part], clock=FixedClock())

        async def withdraw() -> None:
            check.withdraw()

        part.before = withdraw

        assert (await check.check()).stopping
        assert not (await check.check()).ready
        assert part.probes == 1

    asyncio.run(scenario())
