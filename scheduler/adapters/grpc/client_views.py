"""What the client shows of the service: plain values, so that nobody else needs to know the wire."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.priority import Priority
from scheduler.domain.state import JobState


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmittedJob:
    """A stored job; `created` is False when it existed before with the same content."""

    job_id: str
    created: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job as it stands. `payload` and `result` are JSON texts, read by `get` only."""

    job_id: str
    state: JobState
    type: str
    priority: Priority
    attempts: int
    max_attempts: int
    losses: int
    version: int
    last_error: str
    worker_id: str | None
    labels: Mapping[str, str]
    created_at: datetime
    updated_at: datetime
    run_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    payload: str | None
    result: str | None
    progress: float = 0.0
    """In percent."""
    progress_message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    """One change of a job, or of its progress (in percent); `message` says it for people."""

    job_id: str
    state: JobState
    message: str
    at: datetime
    attempts: int
    version: int
    last_error: str
    progress: float = 0.0
    progress_message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptView:
    """One run of a job on one worker; `outcome` is None while it runs."""

    fence: int
    number: int
    worker_id: str
    started_at: datetime
    finished_at: datetime | None
    outcome: AttemptOutcome | None
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequeuedJob:
    """A job as it stands after its requeue."""

    version: int
    state: JobState


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueView:
    """What waits in one priority's queue, and how long the oldest of it has."""

    priority: Priority
    depth: int
    oldest_age: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStatsView:
    """How full the queues are, the most urgent first; each count stops at 100,000."""

    queues: Sequence[QueueView]
    processing: int
    scheduled: int
    retrying: int
    dead_letters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkResult:
    """How many jobs one call changed; `cursor` is where the next one goes on, empty when nothing is left."""

    count: int
    cursor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorGroupView:
    """The jobs of one kind of error; counts stop at 100,000. In the group `unknown` they have nothing in common."""

    fingerprint: str
    type: str
    sample_error: str
    sample_job_id: str
    count: int
    count_capped: bool
    failed: int
    dead_letters: int
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorGroupsView:
    """Kinds of errors, the last seen first; `more` when there are others."""

    groups: Sequence[ErrorGroupView]
    more: bool
