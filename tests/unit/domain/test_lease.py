from datetime import timedelta

import pytest

from scheduler.domain.errors import InvalidFieldError
from scheduler.domain.lease import LeaseTerms, ReaperPatience, StoreReading
from tests.support.builders import MICROSECOND, NOW, SECOND

TERMS = LeaseTerms(timedelta(seconds=12))


def test_a_lease_is_renewed_three_times_in_its_length_and_lasts_twelve_seconds_by_default() -> None:
    assert LeaseTerms() == TERMS
    assert TERMS.renewal_interval == 4 * SECOND


def test_a_lease_too_short_for_renewal_and_self_fence_is_refused() -> None:
    assert LeaseTerms(4 * SECOND).duration == 4 * SECOND
    with pytest.raises(InvalidFieldError) as refusal:
        LeaseTerms(4 * SECOND - MICROSECOND)
    assert refusal.value.field == "lease_seconds"


def test_handlers_stop_three_seconds_before_the_lease_ends() -> None:
    assert not TERMS.must_stop(9 * SECOND - MICROSECOND)
    assert TERMS.must_stop(9 * SECOND)


@pytest.mark.parametrize("seconds", [4, 5, 6, 9, 12, 60, 3600])
def test_one_renewal_in_time_keeps_handlers_running_and_one_begun_in_time_ends_within_the_lease(seconds: int) -> None:
    terms = LeaseTerms(seconds * SECOND)

    assert not terms.must_stop(terms.renewal_interval * 1.9)
    assert terms.renewal_time_limit < terms.self_fence_margin


class Reaper:
    """A reaper's patience over two clocks."""

    def __init__(self) -> None:
        self.monotonic = 50.0
        self.database = NOW
        self.patience = ReaperPatience.begin(TERMS, self._reading(0))

    def contact(self, after: float, database_after: float | None = None, *, takes: float = 0.0) -> None:
        self.monotonic += after
        self.database += timedelta(seconds=after if database_after is None else database_after)
        self.patience = self.patience.observe(self._reading(takes))

    def contact_each_second(self, seconds: int) -> None:
        for _ in range(seconds):
            self.contact(1)

    def fail(self, after: float) -> None:
        self.monotonic += after
        self.database += timedelta(seconds=after)
        self.patience = self.patience.unanswered(self.monotonic)

    def _reading(self, takes: float) -> StoreReading:
        """Take a reading whose request takes that long."""
        sent = self.monotonic
        self.monotonic += takes
        self.database += timedelta(seconds=takes)
        return StoreReading(now=self.database, sent=sent, received=self.monotonic)

    @property
    def may_close(self) -> bool:
        return self.patience.expired_by() == self.database


def test_a_new_reaper_closes_no_worker_for_a_whole_lease() -> None:
    reaper = Reaper()

    reaper.contact_each_second(11)
    assert reaper.patience.expired_by() is None

    reaper.contact_each_second(1)
    assert reaper.may_close


def a_patient_reaper() -> Reaper:
    reaper = Reaper()
    reaper.contact_each_second(12)
    assert reaper.may_close
    return reaper


def test_an_absence_of_a_third_of_a_lease_changes_nothing() -> None:
    reaper = a_patient_reaper()

    reaper.contact(4)

    assert reaper.may_close


def test_after_a_longer_absence_what_had_expired_then_is_closed_half_a_lease_later() -> None:
    reaper = a_patient_reaper()

    reaper.contact(4.001)
    seen = reaper.database
    assert reaper.patience.expired_by() is None
    reaper.contact(3)
    reaper.contact(2)
    assert reaper.patience.expired_by() is None
    reaper.contact(1)
    assert reaper.may_close
    assert reaper.database > seen


def test_further_absences_do_not_put_it_off() -> None:
    reaper = a_patient_reaper()

    reaper.contact(5)
    reaper.contact(1)
    seen = reaper.database
    reaper.contact(5)

    assert reaper.patience.expired_by() == seen
    reaper.contact_each_second(6)
    assert reaper.may_close


@pytest.mark.parametrize("away", ["failed", "slow"])
def test_an_outage_of_more_than_a_third_of_a_lease_starts_a_whole_lease_of_patience(away: str) -> None:
    reaper = a_patient_reaper()

    if away == "failed":
        reaper.fail(1)
        reaper.fail(2)
        reaper.contact(2.001)
    else:
        reaper.contact(1, takes=4.001)

    assert reaper.patience.expired_by() is None
    reaper.contact_each_second(11)
    assert reaper.patience.expired_by() is None
    reaper.contact_each_second(1)
    assert reaper.may_close


def test_a_statement_that_failed_for_a_moment_changes_nothing() -> None:
    reaper = a_patient_reaper()

    reaper.fail(1)
    reaper.contact(1)

    assert reaper.may_close


def test_a_statement_that_took_long_may_hide_an_outage() -> None:
    reaper = a_patient_reaper()

    reaper.patience = reaper.patience.answered(sent=reaper.monotonic, received=reaper.monotonic + 4.001)
    reaper.contact(4.5)

    assert not reaper.may_close


@pytest.mark.parametrize("jump", [1.01, -1.01, 3600.0, -86400.0])
def test_a_jump_of_the_databases_clock_starts_a_whole_lease_of_patience(jump: float) -> None:
    reaper = a_patient_reaper()

    reaper.contact(1, 1 + jump)

    assert reaper.patience.expired_by() is None
    reaper.contact_each_second(12)
    assert reaper.may_close


@pytest.mark.parametrize("drift", [0.9, -0.9])
def test_a_small_step_of_the_databases_clock_changes_nothing(drift: float) -> None:
    reaper = a_patient_reaper()

    reaper.contact(1, 1 + drift)

    assert reaper.may_close


def test_small_steps_in_either_direction_are_no_jump_however_many() -> None:
    reaper = a_patient_reaper()

    for _ in range(10):
        reaper.contact(1, 1.9)
        assert reaper.may_close


def test_a_jump_within_a_slow_reading_closes_no_worker() -> None:
    reaper = a_patient_reaper()
    sent, jumped = reaper.monotonic, reaper.database + timedelta(seconds=2.5)

    reaper.patience = reaper.patience.observe(StoreReading(now=jumped, sent=sent, received=sent + 3))

    assert reaper.patience.expired_by() == reaper.database


def test_an_interruption_never_shortens_the_patience() -> None:
    reaper = Reaper()
    reaper.contact(5)
    until = reaper.patience.patient_until

    reaper.contact(1)

    assert reaper.patience.patient_until == until
