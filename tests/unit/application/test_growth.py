"""A worker stops when it has more memory than it may, and only then."""

import asyncio

import pytest

from scheduler.adapters.memory.recording_telemetry import RecordingTelemetry
from scheduler.application.ports.memory import ProcessMemory
from scheduler.application.worker.growth import WatchGrowth
from scheduler.application.worker.stragglers import Stragglers


class Measured(ProcessMemory):
    def __init__(self, megabytes: int) -> None:
        self.megabytes = megabytes

    def resident_megabytes(self) -> int:
        return self.megabytes


async def look(megabytes: int, limit: int | None, *, times: int = 1) -> tuple[bool, list[int]]:
    """Return whether the worker is worn out, and what was told of it."""
    telemetry = RecordingTelemetry()
    stragglers = Stragglers(slots=1, telemetry=telemetry)
    watch = WatchGrowth(memory=Measured(megabytes), max_megabytes=limit, stragglers=stragglers, telemetry=telemetry)
    for _ in range(times):
        await watch.execute()
    return stragglers.worn_out.is_set(), telemetry.wear


@pytest.mark.parametrize(("megabytes", "limit"), [(500, 500), (10**6, None)])
def test_a_worker_within_its_limit_goes_on(megabytes: int, limit: int | None) -> None:
    assert asyncio.run(look(megabytes, limit)) == (False, [])


def test_a_worker_beyond_it_is_worn_out_and_says_so_once() -> None:
    assert asyncio.run(look(501, 500, times=3)) == (True, [501])
