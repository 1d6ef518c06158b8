"""What handlers leave behind is collected when it is large; a worker that grows all the same stops."""

import asyncio
from datetime import timedelta

from scheduler.adapters.memory.fixed_clock import FixedClock
from scheduler.adapters.memory.recording_telemetry import RecordingTelemetry
from scheduler.application.ports.memory import ProcessMemory
from scheduler.application.worker.growth import COLLECTING_SHARE, GROWTH_MEGABYTES, WatchGrowth
from scheduler.application.worker.stragglers import Stragglers

START = 100
MUCH = GROWTH_MEGABYTES + 1


class Process(ProcessMemory):
    """A worker's memory; a collection of it takes a second."""

    def __init__(self, limit: int = 1_000_000) -> None:
        self.used = START
        self.garbage = 0
        self.collections = 0
        self.clock = FixedClock()
        self.telemetry = RecordingTelemetry()
        self.stragglers = Stragglers(slots=1, telemetry=self.telemetry)
        self._watch = WatchGrowth(
            memory=self,
            max_megabytes=limit,
            stragglers=self.stragglers,
            clock=self.clock,
            telemetry=self.telemetry,
        )
        self.look()

    def resident_megabytes(self) -> int:
        return self.used + self.garbage

    def collect(self) -> None:
        self.garbage = 0
        self.collections += 1
        self.clock.advance(timedelta(seconds=1))

    def look(self) -> None:
        asyncio.run(self._watch.execute())


def test_garbage_is_left_to_python_until_it_is_large() -> None:
    process = Process()
    for garbage, collections in ((GROWTH_MEGABYTES, 0), (MUCH, 1), (GROWTH_MEGABYTES, 1)):
        process.garbage = garbage
        process.look()
        assert process.collections == collections


def test_collections_take_no_more_than_their_share_of_time() -> None:
    process = Process()
    for _ in range(3):
        process.garbage = MUCH
        process.look()
    assert process.collections == 1
    process.clock.advance(timedelta(seconds=1 / COLLECTING_SHARE))
    process.look()
    assert process.collections == 2


def test_what_is_in_use_calls_for_one_collection_only() -> None:
    process = Process()
    process.used += MUCH
    for _ in range(3):
        process.look()
        process.clock.advance(timedelta(hours=1))
    assert process.collections == 1


def test_a_large_worker_may_have_much_garbage() -> None:
    process = Process()
    process.used = 10 * START
    process.look()
    for garbage, collections in ((5 * START, 1), (5 * START + 1, 2)):
        process.garbage = garbage
        process.clock.advance(timedelta(hours=1))
        process.look()
        assert process.collections == collections


def test_memory_that_was_given_back_and_is_taken_again_counts_as_growth() -> None:
    process = Process()
    process.used -= MUCH
    process.look()
    process.used += MUCH
    process.look()
    assert process.collections == 1


def test_a_worker_within_its_limit_goes_on() -> None:
    process = Process(500)
    process.used = 500
    process.look()
    assert (process.stragglers.worn_out.is_set(), process.telemetry.wear) == (False, [])


def test_a_worker_beyond_its_limit_is_worn_out_and_says_so_once() -> None:
    process = Process(500)
    process.used = 501
    for _ in range(3):
        process.look()
    assert (process.stragglers.worn_out.is_set(), process.telemetry.wear) == (True, [501])


def test_garbage_alone_wears_no_worker_out() -> None:
    process = Process(500)
    process.garbage = 10**6
    process.look()
    assert not process.stragglers.worn_out.is_set()
