"""When a failed attempt is tried again, and when a job is given up."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import isfinite

from scheduler.domain.errors import InvalidFieldError
from scheduler.domain.text import clean_text

MAX_DELAY = timedelta(days=366)


class FailureKind(StrEnum):
    """Why an attempt failed."""

    ERROR = "ERROR"
    """The handler failed; another attempt may help."""
    TIMEOUT = "TIMEOUT"
    """The attempt ran past its time limit."""
    PERMANENT = "PERMANENT"
    """The handler said that no retry can help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How an attempt failed; `retry_after` is the delay that the handler itself asked for."""

    kind: FailureKind
    error: str
    retry_after: timedelta | None = None

    def __post_init__(self) -> None:
        """Make the error text fit for storage."""
        object.__setattr__(self, "error", clean_text(self.error))


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again at this time."""

    at: datetime


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Give up: the attempts are exhausted."""


@dataclass(frozen=True, slots=True)
class Fail:
    """Give up: no retry can help."""


@dataclass(frozen=True, slots=True)
class QueueAgain:
    """Run it again at once: its worker was lost, which is no reason to wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Exponential backoff: min(max_backoff, initial * multiplier ** (attempts - 1)), spread by ± jitter."""

    initial: timedelta = timedelta(seconds=1)
    max_backoff: timedelta = timedelta(minutes=5)
    multiplier: float = 2.0
    jitter: float = 0.2

    def __post_init__(self) -> None:
        """Refuse delays and factors that no backoff can have."""
        _check_delay("retry_policy.initial", self.initial)
        _check_delay("retry_policy.max_backoff", self.max_backoff)
        if self.max_backoff < self.initial:
            raise InvalidFieldError("retry_policy.max_backoff", "must not be less than initial")
        if not (isfinite(self.multiplier) and 1 <= self.multiplier <= 100):  # noqa: PLR2004 - the rule itself
            raise InvalidFieldError("retry_policy.multiplier", "must be between 1 and 100")
        if not (isfinite(self.jitter) and 0 <= self.jitter <= 1):
            raise InvalidFieldError("retry_policy.jitter", "must be between 0 and 1")

    def after_failure(
        self, failure: Failure, *, attempts: int, max_attempts: int, now: datetime, draw: float
    ) -> Retry | DeadLetter | Fail:
        """Decide what follows the failed attempt number `attempts`; `draw` is uniform in [0, 1)."""
        if failure.kind is FailureKind.PERMANENT:
            return Fail()
        if attempts >= max_attempts:
            return DeadLetter()
        return Retry(now + self._delay(failure, attempts, draw))

    def after_loss(self, *, attempts: int, losses: int, max_attempts: int) -> QueueAgain | DeadLetter:
        """Decide what follows the loss of a worker; `losses` of the `attempts` starts, this one included, were lost."""
        if max(attempts, losses) >= max_attempts:
            return DeadLetter()
        return QueueAgain()

    def _delay(self, failure: Failure, attempts: int, draw: float) -> timedelta:
        if failure.retry_after is not None:
            return min(max(failure.retry_after, timedelta(0)), self.max_backoff)
        return self.backoff(attempts, draw)

    def backoff(self, attempts: int, draw: float) -> timedelta:
        """Return the wait after `attempts` failed attempts; `draw` in [0, 1) picks a point of the jitter's band."""
        base = min(self.max_backoff.total_seconds(), self._grown(attempts))
        return timedelta(seconds=base * (1 + self.jitter * (2 * draw - 1)))

    def _grown(self, attempts: int) -> float:
        try:
            return self.initial.total_seconds() * self.multiplier ** (attempts - 1)
        except OverflowError:
            return self.max_backoff.total_seconds()


def _check_delay(field: str, delay: timedelta) -> None:
    if not timedelta(0) < delay <= MAX_DELAY:
        raise InvalidFieldError(field, f"must be more than 0 and at most {MAX_DELAY.days} days")
