from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.adapters.system.clock import MAX_ROUND_TRIP, MAX_SLEWED, SLEW_RATE, SystemClock

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STORE = datetime(2026, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class Host:
    """A machine whose clocks move when the test says so."""

    def __init__(self, *, off_by: float = 0.0) -> None:
        self.monotonic = 1000.0
        self.wrong_by = off_by
        self.clock = SystemClock(time_of_day=self.time_of_day, monotonic=lambda: self.monotonic)

    @property
    def store_now(self) -> datetime:
        """What the store's clock reads now."""
        return STORE + timedelta(seconds=self.monotonic)

    def time_of_day(self) -> float:
        return (self.store_now - EPOCH).total_seconds() + self.wrong_by

    def observe(self, ahead: float = 0.0, round_trip: float = 0.0, reply: float = 0.5) -> None:
        """Read the store's clock, which is `ahead` of where it was thought to be; the reply's share of the way."""
        sent = self.monotonic
        self.monotonic += round_trip
        read = self.store_now - timedelta(seconds=round_trip * reply) + timedelta(seconds=ahead)
        self.clock.observe(read, sent=sent, received=self.monotonic)

    def error(self) -> float:
        """How far the clock is ahead of the store, in seconds."""
        return (self.clock.now() - self.store_now).total_seconds()


def test_it_shows_the_time_of_day_in_utc_before_the_first_reading() -> None:
    host = Host(off_by=60)

    assert host.error() == pytest.approx(60, abs=1e-5)
    assert host.clock.now().tzinfo is UTC


@pytest.mark.parametrize("off_by", [0.001, -0.5, 1.5, 3600, -86400])
def test_the_first_reading_sets_it_at_once(off_by: float) -> None:
    host = Host(off_by=off_by)

    host.observe()

    assert host.error() == pytest.approx(0, abs=1e-5)


def test_it_runs_on_between_readings() -> None:
    host = Host()
    host.observe()

    host.monotonic += 1234.5

    assert host.error() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("reply", [0.0, 1.0])
def test_a_late_request_or_reply_does_not_move_it(reply: float) -> None:
    host = Host()
    host.observe()

    host.observe(round_trip=MAX_ROUND_TRIP - 0.001, reply=reply)
    host.monotonic += 1000

    assert host.error() == pytest.approx(0, abs=1e-5)


def test_a_reading_moves_it_no_further_than_it_proves() -> None:
    host = Host()
    host.observe()

    host.observe(ahead=0.5, round_trip=0.1)
    host.monotonic += 1000

    assert host.error() == pytest.approx(0.45, abs=1e-5)


def test_a_slow_reading_is_dropped() -> None:
    host = Host()
    host.observe()

    host.observe(ahead=3600, round_trip=MAX_ROUND_TRIP + 0.001)

    assert host.error() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("off_by", [-600.0, 600.0, 86400.0])
def test_a_slow_first_reading_bounds_how_wrong_the_host_can_be(off_by: float) -> None:
    host = Host(off_by=off_by)

    host.observe(round_trip=3)

    assert abs(host.error()) <= 3
    host.observe()
    assert host.error() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("change", [0.4, -0.4, MAX_SLEWED - 0.01, 0.01 - MAX_SLEWED])
def test_a_small_change_is_closed_slowly(change: float) -> None:
    host = Host()
    host.observe()

    host.observe(ahead=change)
    assert host.error() == pytest.approx(0, abs=1e-5)

    host.monotonic += abs(change) / SLEW_RATE / 2
    assert host.error() == pytest.approx(change / 2, abs=1e-5)

    host.monotonic += abs(change) / SLEW_RATE / 2
    assert host.error() == pytest.approx(change, abs=1e-5)

    host.monotonic += 1000
    assert host.error() == pytest.approx(change, abs=1e-5)


@pytest.mark.parametrize("change", [MAX_SLEWED + 0.1, -MAX_SLEWED - 0.1, 3600])
def test_a_large_change_is_followed_at_once_in_both_directions(change: float) -> None:
    host = Host()
    host.observe()
    host.clock.now()

    host.observe(ahead=change)

    assert host.error() == pytest.approx(change, abs=1e-5)


def test_a_change_during_a_slew_starts_from_where_the_clock_stands() -> None:
    host = Host()
    host.observe()
    host.observe(ahead=1.0)
    host.monotonic += 10

    host.observe(ahead=0.0)

    assert host.error() == pytest.approx(0.5, abs=1e-3)


def test_monotonic_is_the_monotonic_clock() -> None:
    host = Host()
    host.observe(ahead=100)

    assert host.clock.monotonic() == host.monotonic


@given(
    steps=st.lists(
        st.tuples(
            st.floats(min_value=0, max_value=5),
            st.floats(min_value=-MAX_SLEWED / 2, max_value=MAX_SLEWED / 2),
            st.booleans(),
        ),
        max_size=30,
    )
)
def test_it_never_goes_backwards_and_keeps_its_rate_while_changes_are_small(
    steps: list[tuple[float, float, bool]],
) -> None:
    host = Host()
    host.observe()
    for passed, ahead, reading in steps:
        before, moment = host.clock.now(), host.monotonic
        if reading:
            host.observe(ahead=ahead)
        host.monotonic += passed
        went = (host.clock.now() - before).total_seconds()
        real = host.monotonic - moment
        assert went >= 0
        assert real * (1 - SLEW_RATE) - 1e-5 <= went <= real * (1 + SLEW_RATE) + 1e-5


@given(ahead=st.floats(min_value=-MAX_SLEWED * 0.99, max_value=MAX_SLEWED * 0.99))
def test_it_arrives_at_the_stores_time(ahead: float) -> None:
    host = Host()
    host.observe()

    host.observe(ahead=ahead)
    host.monotonic += MAX_SLEWED / SLEW_RATE

    assert host.error() == pytest.approx(ahead, abs=1e-5)
