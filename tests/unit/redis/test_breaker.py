from datetime import timedelta

import pytest

from scheduler.adapters.memory.fixed_clock import FixedClock
from scheduler.adapters.memory.fixed_randomness import FixedRandomness
from scheduler.adapters.memory.recording_telemetry import RecordingTelemetry
from scheduler.adapters.redis.breaker import CircuitBreaker
from scheduler.application.errors import QueueUnavailableError

AWAY = QueueUnavailableError("Redis cannot be reached")


class Bench:
    def __init__(self, draw: float = 0.0) -> None:
        self.clock = FixedClock()
        self.telemetry = RecordingTelemetry()
        self.breaker = CircuitBreaker(clock=self.clock, randomness=FixedRandomness([draw]), faults=self.telemetry)

    def wait(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    def is_refused(self) -> bool:
        try:
            self.breaker.admit()
        except QueueUnavailableError:
            return True
        return False


def test_calls_pass_while_all_is_well() -> None:
    bench = Bench()
    assert [bench.breaker.admit() for _ in range(3)] == [False, False, False]
    assert not bench.breaker.is_open


def test_a_failure_refuses_the_next_calls_at_once_and_says_why() -> None:
    bench = Bench()
    bench.breaker.failed(AWAY)
    with pytest.raises(QueueUnavailableError, match="Redis cannot be reached") as refusal:
        bench.breaker.admit()
    assert refusal.value.retry_after == timedelta(seconds=0.5)
    assert bench.breaker.is_open


@pytest.mark.parametrize(("draw", "pause"), [(0.0, 0.5), (0.5, 0.75), (0.999, 0.9995)])
def test_the_pause_is_spread_over_half_a_second(draw: float, pause: float) -> None:
    bench = Bench(draw)
    bench.breaker.failed(AWAY)
    bench.wait(pause - 0.01)
    assert bench.is_refused()
    bench.wait(0.02)
    assert bench.breaker.admit()


def test_one_call_at_a_time_may_try() -> None:
    bench = Bench()
    bench.breaker.failed(AWAY)
    bench.wait(0.6)
    assert bench.breaker.admit()
    assert bench.is_refused()


def test_a_good_probe_lets_all_calls_pass_again() -> None:
    bench = Bench()
    bench.breaker.failed(AWAY)
    bench.wait(0.6)
    bench.breaker.admit()
    bench.breaker.succeeded()
    assert not bench.breaker.is_open
    assert bench.breaker.admit() is False


def test_a_failed_probe_begins_another_pause() -> None:
    bench = Bench()
    bench.breaker.failed(AWAY)
    bench.wait(0.6)
    bench.breaker.admit()
    bench.breaker.failed(AWAY)
    assert bench.is_refused()
    bench.wait(0.6)
    assert bench.breaker.admit()


def test_an_abandoned_probe_leaves_the_try_to_the_next_call() -> None:
    bench = Bench()
    bench.breaker.failed(AWAY)
    bench.wait(0.6)
    bench.breaker.abandoned(probe=bench.breaker.admit())
    assert bench.breaker.is_open
    assert bench.breaker.admit()


def test_a_call_that_began_before_the_failure_does_not_end_the_probe_of_another() -> None:
    bench = Bench()
    early = bench.breaker.admit()
    bench.breaker.failed(AWAY)
    bench.wait(0.6)
    bench.breaker.admit()
    bench.breaker.abandoned(probe=early)
    assert bench.is_refused()


def test_operators_hear_of_the_change_and_not_of_each_call() -> None:
    bench = Bench()
    for _ in range(3):
        bench.breaker.failed(AWAY)
    assert bench.telemetry.faults == [("queue_unavailable", AWAY)]
    assert bench.telemetry.degraded_parts == {"queue"}
    bench.breaker.succeeded()
    assert bench.telemetry.degraded_parts == set()
