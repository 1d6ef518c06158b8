"""The parts that make a run repeatable."""

from datetime import timedelta

from scheduler.adapters.memory.fixed_clock import FixedClock
from scheduler.adapters.memory.fixed_randomness import FixedRandomness
from scheduler.adapters.memory.sequential_ids import SequentialIds
from tests.support.builders import HOUR, NOW


def test_a_fixed_clock_moves_only_when_told() -> None:
    clock = FixedClock(NOW)
    assert (clock.now(), clock.now(), clock.monotonic()) == (NOW, NOW, 0)

    clock.advance(timedelta(seconds=1.5))
    assert (clock.now(), clock.monotonic()) == (NOW + timedelta(seconds=1.5), 1.5)

    clock.jump_to(NOW - HOUR)
    assert (clock.now(), clock.monotonic()) == (NOW - HOUR, 1.5)


def test_a_fixed_clock_notes_readings_and_follows_none() -> None:
    clock = FixedClock(NOW)

    clock.observe(NOW + HOUR, sent=0.0, received=0.1)

    assert (clock.observed, clock.now()) == ([NOW + HOUR], NOW)


def test_sequential_ids_repeat_from_run_to_run_and_never_within_one() -> None:
    drawn = [
        [draw() for draw in (ids.job_id, ids.op_id, ids.worker_id) * 50] for ids in (SequentialIds(), SequentialIds())
    ]

    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 150
    assert {each.version for each in drawn[0]} == {4}
    assert drawn[0][0] < drawn[0][3]


def test_fixed_draws_come_in_order_and_begin_anew() -> None:
    chance = FixedRandomness([0.1, 0.9])

    assert [chance.draw() for _ in range(3)] == [0.1, 0.9, 0.1]
    assert FixedRandomness().draw() == 0.5
