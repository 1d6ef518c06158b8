import asyncio

import psycopg
import pytest

from scheduler.adapters.cockroach.connection import RECONNECT_SECONDS, Link
from scheduler.adapters.cockroach.errors import Failure
from scheduler.adapters.cockroach.patience import FIRST_PAUSE, LONGEST_PAUSE, Patience
from scheduler.application.errors import DuplicateJobsError, StoreRejectedError, StoreUnavailableError
from scheduler.domain.errors import SchedulerError
from tests.unit.cockroach.test_errors import Reported

SERIALIZATION = Reported("40001")
LOST = psycopg.OperationalError("server closed the connection unexpectedly")


def after(patience: Patience, *failures: Failure) -> None:
    async def one_by_one() -> None:
        for failure in failures:
            await patience.after(failure)

    asyncio.run(one_by_one())


class Draws:
    """Draws the shortest pause, and remembers how often."""

    def __init__(self, value: float = 0.0) -> None:
        self.count = 0
        self.value = value

    def __call__(self) -> float:
        self.count += 1
        return self.value


def test_serialization_failures_are_repeated_again_and_again() -> None:
    draws = Draws()
    after(Patience(60, Link(), draws), *[SERIALIZATION] * 50)
    assert draws.count == 50


@pytest.mark.parametrize("state", ["0A000", "26000", "42P05", "08P01", "57P05"])
def test_a_session_that_is_not_as_it_was_left_is_replaced_for_a_while(
    state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    patience = Patience(60, Link(), Draws())
    after(patience, *[Reported(state)] * 5)
    clock.seconds += RECONNECT_SECONDS
    with pytest.raises(StoreUnavailableError):
        after(patience, Reported(state))


@pytest.mark.parametrize(
    ("failure", "ours"),
    [
        (Reported("23505"), DuplicateJobsError),
        (Reported("22021"), StoreRejectedError),
        (Reported("57014"), StoreUnavailableError),
        (TimeoutError(), StoreUnavailableError),
    ],
)
def test_other_failures_are_not_repeated(failure: Failure, ours: type[SchedulerError]) -> None:
    draws = Draws()
    with pytest.raises(ours) as raised:
        after(Patience(60, Link(), draws), failure)
    assert raised.value.__cause__ is failure
    assert draws.count == 0


def test_a_pause_that_would_outlast_the_deadline_is_not_made() -> None:
    with pytest.raises(StoreUnavailableError):
        after(Patience(0.0, Link(), Draws()), SERIALIZATION)


def test_without_time_left_there_is_none() -> None:
    assert Patience(0.0, Link()).left() == 0.0
    assert 59 < Patience(60, Link()).left() <= 60


def test_a_lost_connection_is_replaced_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    patience = Patience(60, Link(), Draws())
    after(patience, LOST)
    clock.seconds += 1.9
    after(patience, LOST)
    clock.seconds += 0.2
    with pytest.raises(StoreUnavailableError, match="server closed"):
        after(patience, LOST)


def test_a_statement_that_begins_in_an_outage_does_not_wait_as_long_as_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, link = Clock(monkeypatch), Link()
    link.is_down(LOST)
    clock.seconds += 10
    with pytest.raises(StoreUnavailableError):
        after(Patience(60, link, Draws()), LOST)
    link.is_up()
    after(Patience(60, link, Draws()), LOST)


def test_an_outage_lasts_from_its_first_failure_to_the_first_success(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, link = Clock(monkeypatch), Link()
    assert link.outage() == 0.0
    link.is_down(LOST)
    clock.seconds += 3
    link.is_down(psycopg.OperationalError("connection refused"))
    assert link.outage() == 3.0
    assert link.failure == "connection refused"
    link.is_up()
    assert link.outage() == 0.0
    assert link.failure == ""


def test_pauses_grow_to_a_bound_and_are_drawn_below_it(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def note(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", note)
    after(Patience(60, Link(), Draws(0.5)), *[SERIALIZATION] * 10)
    assert pauses[0] == FIRST_PAUSE
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE / 2


class Clock:
    """The monotonic clock as the test sets it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 1000.0
        monkeypatch.setattr("scheduler.adapters.cockroach.patience.time.monotonic", lambda: self.seconds)
