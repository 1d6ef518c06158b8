"""The caller's deadline travels with the call, and no further."""

import asyncio

from scheduler.application.deadline import DEFAULT_SECONDS, remaining_seconds, time_limit
from scheduler.application.use_cases.submit_jobs import STORE_SECONDS
from tests.unit.application.shop import Shop, in_virtual_time


def test_without_a_limit_there_is_the_usual_time() -> None:
    assert remaining_seconds() == DEFAULT_SECONDS


def test_the_innermost_limit_counts_and_ends_with_its_block() -> None:
    with time_limit(100):
        with time_limit(1000):
            assert 900 < remaining_seconds() <= 1000
        with time_limit(1):
            assert remaining_seconds() <= 1
        assert 90 < remaining_seconds() <= 100
    assert remaining_seconds() == DEFAULT_SECONDS


def test_a_limit_that_has_passed_leaves_nothing() -> None:
    with time_limit(-1):
        assert remaining_seconds() == 0


def test_a_limit_reaches_the_tasks_of_its_block_and_no_other() -> None:
    async def left() -> float:
        await asyncio.sleep(0)
        return remaining_seconds()

    async def scenario() -> None:
        with time_limit(1):
            inside = asyncio.create_task(left())
        outside = asyncio.create_task(left())
        assert await inside <= 1
        assert await outside == DEFAULT_SECONDS

    asyncio.run(scenario())


def test_a_flush_for_many_does_not_inherit_the_deadline_of_the_first() -> None:
    async def scenario(shop: Shop) -> None:
        add_all = shop.repository.add_all
        left: list[float] = []

        async def note_the_limit(jobs: object) -> None:
            left.append(remaining_seconds())
            await add_all(jobs)  # type: ignore[arg-type] # passed through

        shop.repository.add_all = note_the_limit  # type: ignore[method-assign] # listens in
        with time_limit(0.001):
            await shop.submit()
        assert STORE_SECONDS - 1 < left[0] <= STORE_SECONDS

    in_virtual_time(scenario)
