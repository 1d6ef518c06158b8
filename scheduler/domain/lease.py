"""How long a worker may believe in its lease, and when a reaper may end it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

from scheduler.domain.errors import InvalidFieldError

MAX_SELF_FENCE_MARGIN = timedelta(seconds=3)
MAX_RENEWAL_TIME = timedelta(seconds=2)
MIN_LEASE = timedelta(seconds=4)
MAX_CLOCK_JUMP = timedelta(seconds=1)


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
class ReaperPatience:
    """Keeps a reaper from closing workers that could not renew because the database was away, or its clock jumped."""

    terms: LeaseTerms
    patient_until: float
    """On the reaper's monotonic clock, in seconds."""
    last_contact: float
    clock_offset: timedelta
    """Database clock minus monotonic clock at the last contact."""

    @classmethod
    def begin(cls, terms: LeaseTerms, monotonic: float, database_now: datetime) -> Self:
        """Start a reaper: it closes nobody for one whole lease."""
        return cls(
            terms=terms,
            patient_until=monotonic + terms.duration.total_seconds(),
            last_contact=monotonic,
            clock_offset=_offset(monotonic, database_now),
        )

    def observe(self, monotonic: float, database_now: datetime) -> Self:
        """Note a contact with the database; a long silence or a clock jump starts a new lease of patience."""
        offset = _offset(monotonic, database_now)
        silent = monotonic - self.last_contact > self.terms.renewal_interval.total_seconds()
        jumped = abs(offset - self.clock_offset) > MAX_CLOCK_JUMP
        until = monotonic + self.terms.duration.total_seconds() if silent or jumped else self.patient_until
        return replace(self, patient_until=until, last_contact=monotonic, clock_offset=offset)

    def may_close(self, monotonic: float) -> bool:
        """Tell whether expired workers may be closed now."""
        return monotonic >= self.patient_until


def _offset(monotonic: float, database_now: datetime) -> timedelta:
    return timedelta(seconds=database_now.timestamp() - monotonic)
