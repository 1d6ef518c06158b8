"""Thousands of attempts that hold much and fail badly leave nothing behind, even where no collector runs."""

import asyncio
import gc
import tracemalloc
from collections.abc import Iterator
from typing import NoReturn

import pytest

from scheduler.application.dto import StartedJob
from scheduler.application.ports.handlers import Handler, JobContext
from scheduler.domain.state import JobState
from tests.support.builders import a_job
from tests.unit.application.workshop import Workshop, until, with_a_worker

ATTEMPTS = 3000
LUGGAGE_BYTES = 256 * 1024
SHARE = 0.01
"""What may be held at any time of all that was ever held: some attempts' worth, and what tests note of each."""


class Messy(Handler):
    """Fails in one of many ways, with its hands full, and with an error that holds itself through its traceback."""

    def __init__(self) -> None:
        self._count = 0
        self._shared = ValueError("raised again and again")

    async def run(self, payload: str | None, context: JobContext) -> str | None:
        self._count += 1
        luggage = bytearray(LUGGAGE_BYTES)
        match self._count % 6:
            case 0:
                raise self._shared
            case 1:
                raise SystemExit(luggage)
            case 2:
                raise BaseExceptionGroup("all", [KeyboardInterrupt(), self._in_a_circle()])
            case 3:
                await asyncio.gather(self._later(luggage), return_exceptions=False)
            case 4:
                raise ValueError("x" * LUGGAGE_BYTES)
        return f'"{luggage.hex()}"'

    def _in_a_circle(self) -> Exception:
        luggage = bytearray(LUGGAGE_BYTES)
        try:
            raise LookupError(len(luggage))  # noqa: TRY301 - for its traceback
        except LookupError as error:
            held = error
        return held

    async def _later(self, luggage: bytearray) -> NoReturn:
        await asyncio.sleep(0)
        raise GeneratorExit(luggage)


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    tracemalloc.start()
    yield
    tracemalloc.stop()
    gc.enable()


@pytest.mark.usefixtures("no_collector")
def test_memory_stays_bounded_however_many_attempts_fail() -> None:
    async def scenario(shop: Workshop) -> None:
        shop.handlers.register("messy", Messy())

        async def run(count: int) -> None:
            for _ in range(count):
                shop.runner.launch(StartedJob(job=a_job(JobState.RUNNING, type="messy"), payload=None), shop.worker_id)
                await until(lambda: len(shop.table) == 0)

        await run(10)
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        await run(ATTEMPTS)
        _, peak = tracemalloc.get_traced_memory()
        assert peak - before < SHARE * ATTEMPTS * LUGGAGE_BYTES

    with_a_worker(scenario)
