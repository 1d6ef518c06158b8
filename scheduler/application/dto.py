"""What use cases and ports hand to each other beside domain objects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from scheduler.domain.attempt import Attempt
from scheduler.domain.ids import AttemptId, JobId, OpId, WorkerId
from scheduler.domain.job import Job
from scheduler.domain.priority import Priority
from scheduler.domain.progress import Progress
from scheduler.domain.state import JobState
from scheduler.domain.trace import TraceContext


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job to store for the first time, with its payload and the trace in which it was submitted."""

    job: Job
    payload: str | None
    trace: TraceContext | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A transition to store: compare-and-set from the write that the job was read from, `before_op_id`.

    `ended` is the attempt that the transition ended; `payload` and `result` replace the stored ones unless None.
    """

    job: Job
    before_op_id: OpId
    op_id: OpId
    ended: Attempt | None = None
    payload: str | None = None
    result: str | None = None

    @property
    def stored_job(self) -> Job:
        """Return the job as it stands once the change is stored."""
        return self.job.written_by(self.op_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressNote:
    """What a running attempt said last of its progress."""

    attempt_id: AttemptId
    op_id: OpId
    """The write that started the attempt."""
    progress: Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenName:
    """A stored job that holds an id or idempotency key which a submission asked for."""

    job_id: JobId
    idempotency_key: str | None
    request_hash: str
    created_op_id: OpId
    """Of the write that created the job: equal to the submission's own when that write was repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDetails:
    """A job with all that the store keeps of it."""

    job: Job
    payload: str | None
    result: str | None = None
    trace: TraceContext | None = None
    """In which it was submitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueEntry:
    """A queued job's place: the whole of what the queue knows."""

    job_id: JobId
    priority: Priority
    queued_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs: every field that is set must match."""

    state: JobState | None = None
    priority: Priority | None = None
    type: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    created_after: datetime | None = None
    """Inclusive."""
    created_before: datetime | None = None
    """Exclusive."""
    error_fingerprint: str | None = None
    """FAILED jobs and dead letters of that kind of error; "" means those that ended before there were fingerprints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListCursor:
    """The last job of the page before: the next page holds jobs older than it in (created_at, id) order."""

    created_at: datetime
    job_id: JobId


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """Jobs, newest first; `next` is None on the last page. Payloads are not read."""

    jobs: Sequence[Job]
    next: ListCursor | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDepth:
    """Queued jobs of one priority, counted up to the cap, and the oldest one's place."""

    depth: int
    oldest_queued_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStats:
    """Counts from the store, each capped at COUNT_CAP."""

    queues: Mapping[Priority, QueueDepth]
    running: int
    scheduled: int
    retrying: int
    dead_letters: int


HISTORY_CAP = 1000
"""How many attempts of a job are shown, the newest: a job that is requeued again and again has no end of them."""
COUNT_CAP = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerInfo:
    """A worker process, as it registers itself. Its id is new at each start."""

    id: WorkerId
    host: str
    pid: int
    version: str
    slots: int
    handlers: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepCursor:
    """Where the endless sweep over the queued jobs of one priority stands; None begins a round."""

    queued_at: datetime
    job_id: JobId


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitOutcome:
    """The id of a submitted job; `created` is False when it existed before with the same content."""

    job_id: JobId
    created: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedJob:
    """A job that this worker holds now, ready for its handler."""

    job: Job
    payload: str | None
    trace: TraceContext | None = None
    """In which it was submitted."""

    @property
    def attempt_id(self) -> AttemptId:
        """Name the attempt."""
        return self.job.attempt_id


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeRule:
    """Final jobs in one of `states` may be deleted when they ended longer ago than `keep_for`."""

    states: Sequence[JobState]
    keep_for: timedelta
