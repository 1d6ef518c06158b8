"""How long a worker may believe in its lease, and when a reaper may end it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Self

from scheduler.domain.errors import InvalidFieldError

MAX_SELF_FENCE_MARGIN = timedelta(seconds=3)
MAX_RENEWAL_TIME = timedelta(seconds=2)
MIN_LEASE = timedelta(seconds=4)
MAX_CLOCK_JUMP = timedelta(seconds=1)
MIN_LONGEST_ABSENCE = timedelta(seconds=3)
"""A reaper that lags by less is taken to have missed no outage, however short the lease."""


@dataclass(frozen=True, slots=True)
class LeaseTerms:
    """The length of a worker's lease and the moments that follow from it."""

    duration: timedelta = timedelta(seconds=12)

    def __post_init__(self) -> None:
        """Refuse a lease that leaves no time between two renewals and the self-fence."""
        if self.duration < MIN_LEASE:
            raise InvalidFieldError("lease_seconds", f"must be at least {MIN_LEASE.total_seconds():g}")

    @property
    def renewal_interval(self) -> timedelta:
        """Time between two renewals: a third of the lease."""
        return self.duration / 3

    @property
    def renewal_time_limit(self) -> timedelta:
        """How long one renewal may take; shorter than the margin, so that one begun in time ends within the lease."""
        return min(MAX_RENEWAL_TIME, self.duration / 4)

    @property
    def self_fence_margin(self) -> timedelta:
        """How long before its end a lease is believed in no longer; a good renewal comes at half that age at most."""
        return min(MAX_SELF_FENCE_MARGIN, self.duration / 3)

    def must_stop(self, since_last_good_renewal: timedelta) -> bool:
        """Tell whether handlers must be stopped, measured from the sending of the last good renewal (monotonic)."""
        return since_last_good_renewal >= self.duration - self.self_fence_margin


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreReading:
    """The database's clock, read between two moments of the reaper's monotonic clock."""

    now: datetime
    sent: float
    received: float

    @property
    def least_offset(self) -> float:
        """Return the least that the database's clock can be ahead of the monotonic one, in seconds."""
        return self.now.timestamp() - self.received

    @property
    def greatest_offset(self) -> float:
        """Return the most that it can be ahead."""
        return self.now.timestamp() - self.sent


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondLook:
    """Workers whose leases had expired by a moment are closed when they still have at another one."""

    expired_by: datetime
    due: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaperPatience:
    """Keeps a reaper from closing workers that could not renew because the database was away, or its clock jumped.

    An outage or a jump gives all workers a whole lease, counted from its end. Slowness of the reaper itself is neither;
    after a long absence, which may have hidden an outage, an expired worker is looked at again half a lease later.
    Later absences do not put that off, so that recovery is bounded however often a reaper lags.
    """

    terms: LeaseTerms
    reading: StoreReading
    """The latest."""
    least_offset: float
    """Seconds that the database's clock is ahead of the monotonic one, by all readings since it last stepped."""
    greatest_offset: float
    patient_until: float
    """On the monotonic clock, as all floats here."""
    last_answer: float
    unanswered_since: float | None = None
    looks: tuple[SecondLook, ...] = ()
    """In order of time; only the first may be due."""

    @classmethod
    def begin(cls, terms: LeaseTerms, reading: StoreReading) -> Self:
        """Start a reaper: it closes no worker for one whole lease."""
        return cls(
            terms=terms,
            reading=reading,
            least_offset=reading.least_offset,
            greatest_offset=reading.greatest_offset,
            patient_until=reading.received + terms.duration.total_seconds(),
            last_answer=reading.received,
        )

    def answered(self, *, sent: float, received: float) -> Self:
        """Note another statement that was carried out; one that took long may have waited for the database."""
        return replace(self, last_answer=received) if received - sent <= self._longest_absence else self

    def unanswered(self, sent: float) -> Self:
        """Note a statement that failed: the database may be away since it was sent."""
        return self if self.unanswered_since is not None else replace(self, unanswered_since=sent)

    def observe(self, reading: StoreReading) -> Self:
        """Note a reading of the database's clock, and what it says about the time since the last answer."""
        asked = reading.sent if self.unanswered_since is None else self.unanswered_since
        jumped = self._jumped(reading)
        least, greatest = (reading.least_offset, reading.greatest_offset) if jumped else self._narrowed(reading)
        # When the database read its clock: what came after that is the slowness of this process.
        reached = reading.now.timestamp() - greatest
        until, looks = self.patient_until, self._looks_after(reading, greatest, reached)
        if jumped or reached - asked > self.terms.renewal_interval.total_seconds():
            until, looks = reading.received + self.terms.duration.total_seconds(), ()
        return replace(
            self,
            reading=reading,
            least_offset=least,
            greatest_offset=greatest,
            patient_until=until,
            last_answer=reading.received,
            unanswered_since=None,
            looks=looks,
        )

    def expired_by(self) -> datetime | None:
        """Return the moment by which a lease must have expired for its worker to be closed now; None: close none."""
        now = self.reading.received
        if now < self.patient_until:
            return None
        if all(look.due <= now for look in self.looks):
            return _time_when_sent(self.reading, self.greatest_offset)
        return max((look.expired_by for look in self.looks if look.due <= now), default=None)

    @property
    def _longest_absence(self) -> float:
        return max(self.terms.renewal_interval, MIN_LONGEST_ABSENCE).total_seconds()

    def _looks_after(self, reading: StoreReading, greatest_offset: float, reached: float) -> tuple[SecondLook, ...]:
        due = reading.received + self.terms.duration.total_seconds() / 2
        look = SecondLook(expired_by=_time_when_sent(reading, greatest_offset), due=due)
        return _with(self.looks, look, reading.received, anew=reached - self.last_answer > self._longest_absence)

    def _jumped(self, reading: StoreReading) -> bool:
        ahead = reading.least_offset - self.greatest_offset
        behind = self.least_offset - reading.greatest_offset
        return max(ahead, behind) > MAX_CLOCK_JUMP.total_seconds()

    def _narrowed(self, reading: StoreReading) -> tuple[float, float]:
        """Return what is known of the offset now; a reading that contradicts it proves the smallest step, no more."""
        if reading.least_offset > self.greatest_offset:
            return reading.least_offset, reading.least_offset
        if reading.greatest_offset < self.least_offset:
            return reading.greatest_offset, reading.greatest_offset
        return max(self.least_offset, reading.least_offset), min(self.greatest_offset, reading.greatest_offset)


def _time_when_sent(reading: StoreReading, greatest_offset: float) -> datetime:
    """Return the database's time, by the offset before a jump that a slow reading could hide."""
    return min(reading.now, datetime.fromtimestamp(reading.sent + greatest_offset, tz=UTC))


def _with(looks: Sequence[SecondLook], look: SecondLook, now: float, *, anew: bool) -> tuple[SecondLook, ...]:
    """Drop the looks that are over; the last one is for all leases that expire before the next absence."""
    due = [each for each in looks if each.due <= now]
    waiting = [each for each in looks if each.due > now]
    if anew:
        waiting.append(look)
    elif waiting:
        waiting[-1] = replace(waiting[-1], expired_by=look.expired_by)
    return (*due[-1:], *waiting)
