from datetime import timedelta
from math import inf, nan

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scheduler.domain.errors import InvalidFieldError
from scheduler.domain.retry import MAX_DELAY, DeadLetter, Fail, Failure, FailureKind, QueueAgain, Retry, RetryPolicy
from tests.support.builders import MICROSECOND, NOW, SECOND, a_failure

delays = st.timedeltas(min_value=MICROSECOND, max_value=MAX_DELAY)
draws = st.floats(min_value=0, max_value=1, exclude_max=True)
attempt_numbers = st.integers(min_value=1, max_value=100)


@st.composite
def policies(draw: st.DrawFn, jitter: float | None = None) -> RetryPolicy:
    initial, max_backoff = sorted((draw(delays), draw(delays)))
    return RetryPolicy(
        initial=initial,
        max_backoff=max_backoff,
        multiplier=draw(st.floats(min_value=1, max_value=100)),
        jitter=draw(st.floats(min_value=0, max_value=1)) if jitter is None else jitter,
    )


def test_the_default_doubles_from_a_second_to_five_minutes() -> None:
    waits = [RetryPolicy().backoff(attempts, 0.5).total_seconds() for attempts in range(1, 12)]

    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_the_default_jitter_spreads_by_a_fifth() -> None:
    policy = RetryPolicy()

    assert policy.backoff(3, 0.0) == timedelta(seconds=3.2)
    assert policy.backoff(3, 0.75) == timedelta(seconds=4.4)
    assert timedelta(seconds=4.79) < policy.backoff(3, 0.999) < timedelta(seconds=4.8)


@given(policy=policies(), attempts=attempt_numbers, draw=draws)
def test_a_wait_lies_in_the_jitters_band(policy: RetryPolicy, attempts: int, draw: float) -> None:
    unspread = min(
        policy.max_backoff.total_seconds(), policy.initial.total_seconds() * policy.multiplier ** (attempts - 1)
    )
    wait = policy.backoff(attempts, draw).total_seconds()
    room = 1e-6 + unspread * 1e-9

    assert unspread * (1 - policy.jitter) - room <= wait <= unspread * (1 + policy.jitter) + room
    assert 0 <= wait <= 2 * policy.max_backoff.total_seconds() + room


@given(policy=policies(jitter=0.0), attempts=attempt_numbers, draw=draws)
def test_waits_grow_and_stay_below_the_cap_without_jitter(policy: RetryPolicy, attempts: int, draw: float) -> None:
    wait, longer = policy.backoff(attempts, draw), policy.backoff(attempts + 1, draw)

    assert policy.initial <= wait <= longer <= policy.max_backoff


@given(policy=policies(), attempts=attempt_numbers, first=draws, second=draws)
def test_a_higher_draw_never_waits_less(policy: RetryPolicy, attempts: int, first: float, second: float) -> None:
    assume(first <= second)

    assert policy.backoff(attempts, first) <= policy.backoff(attempts, second)


@given(policy=policies(jitter=0.0))
def test_a_number_too_large_for_a_float_means_the_cap(policy: RetryPolicy) -> None:
    assume(policy.multiplier > 1.1)

    assert policy.backoff(100_000, 0.5) == policy.max_backoff


@given(policy=policies(), attempts=attempt_numbers, max_attempts=attempt_numbers, draw=draws)
def test_an_error_is_retried_until_the_attempts_are_used_up(
    policy: RetryPolicy, attempts: int, max_attempts: int, draw: float
) -> None:
    verdict = policy.after_failure(a_failure(), attempts=attempts, max_attempts=max_attempts, now=NOW, draw=draw)

    assert verdict == (DeadLetter() if attempts >= max_attempts else Retry(NOW + policy.backoff(attempts, draw)))


@given(attempts=attempt_numbers, max_attempts=attempt_numbers, draw=draws)
def test_a_permanent_error_is_never_retried(attempts: int, max_attempts: int, draw: float) -> None:
    failure = a_failure(FailureKind.PERMANENT, retry_after=SECOND)

    verdict = RetryPolicy().after_failure(failure, attempts=attempts, max_attempts=max_attempts, now=NOW, draw=draw)

    assert verdict == Fail()


@pytest.mark.parametrize(
    ("asked", "given_delay"),
    [
        (7 * SECOND, 7 * SECOND),
        (timedelta(0), timedelta(0)),
        (-SECOND, timedelta(0)),
        (MAX_DELAY, timedelta(minutes=5)),
    ],
)
def test_a_handlers_own_delay_counts_within_the_cap(asked: timedelta, given_delay: timedelta) -> None:
    failure = a_failure(FailureKind.TIMEOUT, retry_after=asked)

    verdict = RetryPolicy().after_failure(failure, attempts=1, max_attempts=2, now=NOW, draw=0.9)

    assert verdict == Retry(NOW + given_delay)


@given(attempts=attempt_numbers, losses=attempt_numbers, max_attempts=attempt_numbers)
def test_a_lost_worker_burns_an_attempt(attempts: int, losses: int, max_attempts: int) -> None:
    assume(losses <= attempts)

    verdict = RetryPolicy().after_loss(attempts=attempts, losses=losses, max_attempts=max_attempts)

    assert verdict == (DeadLetter() if attempts >= max_attempts else QueueAgain())


@pytest.mark.parametrize(
    ("field", "policy"),
    [
        ("initial", {"initial": timedelta(0)}),
        ("initial", {"initial": -SECOND}),
        ("initial", {"initial": MAX_DELAY + MICROSECOND, "max_backoff": MAX_DELAY}),
        ("max_backoff", {"max_backoff": timedelta(0)}),
        ("max_backoff", {"max_backoff": MAX_DELAY + MICROSECOND}),
        ("max_backoff", {"max_backoff": SECOND - MICROSECOND}),
        ("multiplier", {"multiplier": 0.99}),
        ("multiplier", {"multiplier": 100.1}),
        ("multiplier", {"multiplier": nan}),
        ("multiplier", {"multiplier": inf}),
        ("jitter", {"jitter": -0.01}),
        ("jitter", {"jitter": 1.01}),
        ("jitter", {"jitter": nan}),
        ("jitter", {"jitter": -inf}),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(field: str, policy: dict[str, object]) -> None:
    with pytest.raises(InvalidFieldError) as refusal:
        RetryPolicy(**policy)  # type: ignore[arg-type] # one field at a time

    assert refusal.value.field == f"retry_policy.{field}"


def test_an_error_text_is_made_fit_for_storage() -> None:
    failure = Failure(kind=FailureKind.ERROR, error="a\0b\ud800" + "x" * 5000)

    assert failure.error.startswith("a\ufffdb\ufffd")
    assert len(failure.error.encode()) <= 4096
