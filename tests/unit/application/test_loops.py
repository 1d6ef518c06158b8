"""The one shape of a background loop."""

import asyncio
from datetime import timedelta

import pytest

from scheduler.adapters.http.progress import LoopProgress
from scheduler.adapters.memory.fixed_randomness import FixedRandomness
from scheduler.application.loops import MAX_FAULT_PAUSE_SECONDS, Loop, LoopServices, run_until, spread, wait_until
from tests.unit.application.shop import Shop, in_virtual_time, settled


class Work:
    """Notes when it is called; fails or asks for more as told."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self.called_at: list[float] = []
        self.answers: list[bool | Exception] = []

    async def run_once(self) -> bool:
        self.called_at.append(self._shop.clock.monotonic())
        answer = self.answers.pop(0) if self.answers else False
        if isinstance(answer, Exception):
            raise answer
        return answer

    def pauses(self) -> list[float]:
        return [round(later - sooner, 3) for sooner, later in zip(self.called_at, self.called_at[1:], strict=False)]


def services(shop: Shop, draw: float = 0.5) -> LoopServices:
    return LoopServices(faults=shop.telemetry, progress=LoopProgress(shop.clock), randomness=FixedRandomness([draw]))


async def run_for(loop: Loop, seconds: float) -> None:
    stopping = asyncio.Event()
    running = asyncio.create_task(loop.run(stopping))
    await asyncio.sleep(seconds)
    stopping.set()
    await running


@pytest.mark.parametrize(("draw", "pause"), [(0.0, 0.8), (0.5, 1.0), (0.75, 1.1)])
def test_it_turns_at_its_interval_give_or_take_the_jitter(draw: float, pause: float) -> None:
    async def scenario(shop: Shop) -> None:
        work = Work(shop)
        await run_for(Loop("tick", work.run_once, interval=1, services=services(shop, draw)), 5)
        assert set(work.pauses()) == {pause}

    in_virtual_time(scenario)


def test_one_that_has_more_to_do_turns_again_at_once() -> None:
    async def scenario(shop: Shop) -> None:
        work = Work(shop)
        work.answers = [True, True, False]
        await run_for(Loop("tick", work.run_once, interval=1, services=services(shop)), 1.5)
        assert work.pauses() == [0, 0, 1]

    in_virtual_time(scenario)


def test_faults_are_told_and_lengthen_the_pause_up_to_a_limit_until_it_works_again() -> None:
    async def scenario(shop: Shop) -> None:
        work = Work(shop)
        work.answers = [ValueError() for _ in range(8)]
        await run_for(Loop("tick", work.run_once, interval=0.5, services=services(shop)), 30)
        assert work.pauses()[:8] == [0.5, 1, 2, 4, 5, 5, 5, 5]
        assert set(work.pauses()[8:]) == {0.5}
        assert {event for event, _ in shop.telemetry.faults} == {"tick_failed"}
        work.answers = [ValueError()]
        before = len(work.called_at)
        await run_for(Loop("tick", work.run_once, interval=0.5, services=services(shop)), 1)
        assert work.pauses()[before:] == [0.5]

    in_virtual_time(scenario)


def test_a_fault_of_a_loop_without_a_pause_pauses_all_the_same_and_for_ever_is_no_overflow() -> None:
    async def scenario(shop: Shop) -> None:
        work = Work(shop)
        work.answers = [ValueError() for _ in range(2010)]
        await run_for(Loop("tick", work.run_once, interval=0, services=services(shop)), 2000 * MAX_FAULT_PAUSE_SECONDS)
        assert work.pauses()[0] == 0.1
        assert max(work.pauses()) == MAX_FAULT_PAUSE_SECONDS
        assert len(work.called_at) > 1999

    in_virtual_time(scenario)


def test_every_turn_is_a_sign_of_life_even_one_that_fails() -> None:
    async def scenario(shop: Shop) -> None:
        work, given = Work(shop), services(shop)
        assert isinstance(given.progress, LoopProgress)
        given.progress.register("tick", max_silence=timedelta(seconds=6))
        work.answers = [ValueError() for _ in range(10)]
        stopping = asyncio.Event()
        running = asyncio.create_task(Loop("tick", work.run_once, interval=1, services=given).run(stopping))
        for _ in range(30):
            await asyncio.sleep(1)
            assert given.progress.stuck() == []
        stopping.set()
        await running
        await asyncio.sleep(7)
        assert given.progress.stuck() == ["tick"]

    in_virtual_time(scenario)


def test_a_stop_ends_the_pause_at_once() -> None:
    async def scenario(shop: Shop) -> None:
        await run_for(Loop("tick", Work(shop).run_once, interval=1000, services=services(shop)), 3)
        assert shop.clock.monotonic() < 3.1

    in_virtual_time(scenario)


def test_a_wait_tells_whether_the_event_came() -> None:
    async def scenario(shop: Shop) -> None:
        event = asyncio.Event()
        assert not await wait_until(event, 2)
        assert shop.clock.monotonic() == 2
        asyncio.get_running_loop().call_later(1, event.set)
        assert await wait_until(event, 100)
        assert shop.clock.monotonic() == 3

    in_virtual_time(scenario)


async def _wait_for_ever() -> None:
    await asyncio.Event().wait()


def test_work_ends_with_the_first_event_that_is_set() -> None:
    async def scenario(shop: Shop) -> None:
        events = [asyncio.Event(), asyncio.Event()]
        asyncio.get_running_loop().call_later(1, events[1].set)
        await run_until(_wait_for_ever(), *events)
        assert shop.clock.monotonic() == 1
        assert len(asyncio.all_tasks()) == 1

    in_virtual_time(scenario)


def test_work_that_ends_by_itself_ends_the_wait_and_its_error_is_raised() -> None:
    async def scenario(_: Shop) -> None:
        async def fail() -> None:
            raise ValueError("of its own")

        await run_until(asyncio.sleep(1), asyncio.Event())
        with pytest.raises(ValueError, match="of its own"):
            await run_until(fail(), asyncio.Event())
        assert len(asyncio.all_tasks()) == 1

    in_virtual_time(scenario)


def test_a_cancelled_wait_takes_its_work_with_it() -> None:
    async def scenario(_: Shop) -> None:
        waiting = asyncio.create_task(run_until(_wait_for_ever(), asyncio.Event()))
        await settled()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert len(asyncio.all_tasks()) == 1

    in_virtual_time(scenario)


def test_work_that_swallows_a_cancellation_is_cancelled_again() -> None:
    async def scenario(shop: Shop) -> None:
        async def deaf_once() -> None:
            for _ in range(2):
                try:
                    await _wait_for_ever()
                except asyncio.CancelledError:
                    swallowed.append(shop.clock.monotonic())

        swallowed: list[float] = []
        event = asyncio.Event()
        event.set()
        await run_until(deaf_once(), event)
        assert len(swallowed) == 2

    in_virtual_time(scenario)


def test_a_spread_wait_stays_within_a_fifth() -> None:
    assert [spread(10, draw) for draw in (0.0, 0.5, 1.0)] == [8, 10, 12]
