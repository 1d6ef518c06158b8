"""What the desk for ended jobs takes and gives: filters, places in a walk, kinds of errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from scheduler.domain.errors import InvalidFieldError
from scheduler.domain.ids import JobId
from scheduler.domain.job import Job
from scheduler.domain.priority import Priority
from scheduler.domain.state import DEAD_STATES, FINAL_STATES, JobState


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedFilter:
    """Which ended jobs: one of `states`, which are final, and whatever else is set. Times: since, and before."""

    states: frozenset[JobState]
    priority: Priority | None = None
    type: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    created_after: datetime | None = None
    created_before: datetime | None = None
    finished_after: datetime | None = None
    finished_before: datetime | None = None
    error_text: str | None = None
    """Contained in the last error, exactly as it stands there."""
    error_fingerprint: str | None = None
    """Of FAILED jobs and dead letters; "" means those that ended before there were fingerprints."""

    def __post_init__(self) -> None:
        """Refuse a filter that does not say which final states it is about."""
        if not self.states or self.states - FINAL_STATES:
            raise InvalidFieldError("state_filter", f"must name some of {_names(FINAL_STATES)}, and no other state")

    def require_only(self, allowed: frozenset[JobState]) -> None:
        """Raise InvalidFieldError when the filter takes other states too."""
        if self.states - allowed:
            raise InvalidFieldError("state_filter", f"must name none but {_names(allowed)}")

    def matches(self, job: Job) -> bool:
        """Tell whether the filter takes the job as it stands."""
        return (
            job.state in self.states
            and self.priority in {None, job.priority}
            and self.type in {None, job.type}
            and self.labels.items() <= job.labels.items()
            and _within(job.created_at, self.created_after, self.created_before)
            and _within(job.finished_at, self.finished_after, self.finished_before)
            and (self.error_text or "") in job.last_error
            and (self.error_fingerprint is None or has_fingerprint(job, self.error_fingerprint))
        )


def has_fingerprint(job: Job, fingerprint: str) -> bool:
    """Tell whether the job is FAILED or a dead letter by that kind of error."""
    return job.state in DEAD_STATES and job.error_fingerprint == fingerprint


def _names(states: frozenset[JobState]) -> str:
    return ", ".join(sorted(states))


def _within(at: datetime | None, since: datetime | None, before: datetime | None) -> bool:
    return at is not None and (since is None or since <= at) and (before is None or at < before)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedCursor:
    """A place in the walk over ended jobs: of the last job that was looked at."""

    at: datetime
    """Its end, or its creation where SUCCEEDED jobs are looked for too."""
    job_id: JobId


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundJob:
    """A job that matched when it had that version, and its place."""

    version: int
    cursor: EndedCursor

    @property
    def id(self) -> JobId:
        """Return the job's id."""
        return self.cursor.job_id


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedPage:
    """What matched of the jobs that were looked at, in order; `next` is None when all have been."""

    found: Sequence[FoundJob]
    next: EndedCursor | None


COUNTED_IN_ALL = 2_000_000
"""How many jobs a list of kinds of errors counts at most: the kinds of a long list are counted less far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorGroup:
    """The jobs that one kind of error has ended. The newest of them are counted, up to a cap."""

    fingerprint: str
    """Empty: they ended before there were fingerprints, and may have nothing in common."""
    type: str
    sample_job_id: JobId
    """The newest; type and error are its."""
    sample_error: str
    failed: int
    dead_letters: int
    is_capped: bool
    """Whether counting stopped at its cap: there may be more."""
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorGroups:
    """Kinds of errors, the last seen first; `more` when there are others."""

    groups: Sequence[ErrorGroup]
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkCursor:
    """Where a bulk change goes on: among the jobs that ended before it began, behind the last that it looked at."""

    finished_before: datetime
    after: EndedCursor | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkOrder:
    """How much to change: at most `limit` jobs, 0 for as many as one call may; `rate` a second, 0 for no pause."""

    limit: int = 0
    rate: int = 0
    dry_run: bool = False
    cursor: BulkCursor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkOutcome:
    """How many jobs were changed; `next` is None when every match has been looked at."""

    count: int
    next: BulkCursor | None
