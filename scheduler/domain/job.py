"""A job and its transitions. Each returns a new Job with version + 1 or raises TransitionNotAllowedError."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Self, assert_never

from scheduler.domain.attempt import Attempt, AttemptOutcome
from scheduler.domain.errors import InvalidFieldError, TransitionNotAllowedError
from scheduler.domain.fingerprint import fingerprint
from scheduler.domain.ids import AttemptId, Fence, JobId, OpId, WorkerId
from scheduler.domain.priority import Priority
from scheduler.domain.progress import Progress
from scheduler.domain.retry import DeadLetter, Fail, Failure, FailureKind, QueueAgain, Retry, RetryPolicy
from scheduler.domain.state import DEAD_STATES, FINAL_STATES, WAITING_STATES, JobState, may_become

MAX_ATTEMPTS = 100
MIN_TIMEOUT = timedelta(milliseconds=1)
MAX_TIMEOUT = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job's life cycle. Its payload and result travel beside it, for they can be large and decide nothing."""

    id: JobId
    type: str
    priority: Priority
    max_attempts: int
    timeout: timedelta
    retry_policy: RetryPolicy
    request_hash: str
    """Of the submitted content: tells a repeated submission from a different one."""
    idempotency_key: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    state: JobState
    version: int
    """Begins at `first_version` and grows by 1 at each transition and at nothing else."""
    op_id: OpId = field(compare=False)
    """The write that the store made this version with; a transition keeps it until it is stored itself."""
    attempts: int = 0
    """Starts, without those given back by a release."""
    losses: int = 0
    """Starts that ended with a lost worker."""
    run_at: datetime
    """When it is or was due: as submitted, or after its backoff."""
    created_at: datetime
    updated_at: datetime
    queued_at: datetime | None = None
    """Its place in the queue; kept while it runs, so that a job given back keeps its place."""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    worker_id: WorkerId | None = None
    """The worker that holds it, or held it last."""
    last_outcome: AttemptOutcome | None = None
    last_error: str = ""
    error_fingerprint: str = ""
    """The kind of error that made it FAILED or DEADLETTER; empty in other states, and where it was never computed."""
    progress: Progress | None = None
    """What the last attempt said last; None until it says something."""

    def __post_init__(self) -> None:
        """Refuse a job that cannot exist, whether new or loaded."""
        if not 1 <= self.max_attempts <= MAX_ATTEMPTS:
            raise InvalidFieldError("max_attempts", f"must be between 1 and {MAX_ATTEMPTS}")
        if not MIN_TIMEOUT <= self.timeout <= MAX_TIMEOUT:
            raise InvalidFieldError("timeout", "must be between 1 ms and 24 h")
        if self.version < 1:
            raise InvalidFieldError("version", "must be at least 1")
        if not 0 <= self.losses <= self.attempts <= self.max_attempts:
            raise InvalidFieldError("attempts", "must be 0 <= losses <= attempts <= max_attempts")
        self._check_times()
        self._check_state()

    def _check_times(self) -> None:
        for name in ("run_at", "created_at", "updated_at", "queued_at", "started_at", "finished_at"):
            at: datetime | None = getattr(self, name)
            if at is not None and at.tzinfo is None:
                raise InvalidFieldError(name, "must carry a time zone")

    def _check_state(self) -> None:
        if self.state in {JobState.QUEUED, JobState.RUNNING} and self.queued_at is None:
            raise InvalidFieldError("queued_at", f"a {self.state} job has a place in the queue")
        if self.state is JobState.RUNNING and (self.worker_id is None or self.started_at is None):
            raise InvalidFieldError("worker_id", "a RUNNING job is held by a worker since its start")
        if (self.finished_at is not None) != self.is_final:
            raise InvalidFieldError("finished_at", "is set exactly when the state is final")

    @property
    def is_final(self) -> bool:
        """Tell whether only a requeue can move the job."""
        return self.state in FINAL_STATES

    @property
    def running_progress(self) -> Progress | None:
        """Return what the attempt that runs now said last; None when none runs or it has said nothing."""
        return self.progress if self.state is JobState.RUNNING else None

    @property
    def attempt_id(self) -> AttemptId:
        """Name the attempt that runs now; meaningful only while RUNNING."""
        return AttemptId(self.id, Fence(self.version))

    def written_by(self, op_id: OpId) -> Self:
        """Return the job as the write of that name stores it."""
        return self._with(op_id=op_id)

    def start(self, worker_id: WorkerId, now: datetime) -> Self:
        """Go from QUEUED to RUNNING: the worker holds it, and the new version is the attempt's fence."""
        at = self._not_before(now)
        return self._become(
            JobState.RUNNING, at, worker_id=worker_id, attempts=self.attempts + 1, started_at=at, progress=None
        )

    def succeed(self, now: datetime) -> Self:
        """Go from RUNNING to SUCCEEDED."""
        self._require_running(JobState.SUCCEEDED)
        return self._become(JobState.SUCCEEDED, now, last_outcome=AttemptOutcome.SUCCEEDED)

    def fail(self, failure: Failure, now: datetime, draw: float) -> Self:
        """Go from RUNNING to RETRYING, DEADLETTER or FAILED, as the retry policy decides."""
        self._require_running(JobState.RETRYING)
        verdict = self.retry_policy.after_failure(
            failure, attempts=self.attempts, max_attempts=self.max_attempts, now=now, draw=draw
        )
        error = failure.error
        match verdict:
            case Retry(at=at):
                outcome = _failed_as(failure, AttemptOutcome.RETRY)
                return self._become(JobState.RETRYING, now, run_at=at, last_outcome=outcome, last_error=error)
            case DeadLetter():
                outcome = _failed_as(failure, AttemptOutcome.FAILED)
                return self._become(JobState.DEADLETTER, now, last_outcome=outcome, last_error=error)
            case Fail():
                return self._become(JobState.FAILED, now, last_outcome=AttemptOutcome.FAILED, last_error=error)
            case _:
                assert_never(verdict)

    def lose(self, now: datetime) -> Self:
        """Go from RUNNING to QUEUED at its old place, or DEADLETTER when it has lost its last worker."""
        self._require_running(JobState.QUEUED)
        losses = self.losses + 1
        verdict = self.retry_policy.after_loss(attempts=self.attempts, losses=losses, max_attempts=self.max_attempts)
        match verdict:
            case QueueAgain():
                target, error = JobState.QUEUED, "worker lost"
            case DeadLetter():
                target = JobState.DEADLETTER
                error = f"worker lost in {losses} of {self.attempts} attempts"
            case _:
                assert_never(verdict)
        return self._become(target, now, losses=losses, last_outcome=AttemptOutcome.LOST, last_error=error)

    def release(self, now: datetime) -> Self:
        """Go from RUNNING to QUEUED at its old place: the worker stops, the attempt does not count."""
        self._require_running(JobState.QUEUED)
        return self._become(JobState.QUEUED, now, attempts=self.attempts - 1, last_outcome=AttemptOutcome.RELEASED)

    def make_due(self, now: datetime) -> Self:
        """Go from SCHEDULED or RETRYING to QUEUED, at the place that its run_at gives it."""
        if self.state not in WAITING_STATES or self.run_at > now:
            raise TransitionNotAllowedError(self.state, JobState.QUEUED)
        return self._become(JobState.QUEUED, now, queued_at=self.run_at)

    def cancel(self, now: datetime) -> Self:
        """Go from any state but a final one to CANCELLED."""
        if self.state is JobState.RUNNING:
            return self._become(JobState.CANCELLED, now, last_outcome=AttemptOutcome.CANCELLED)
        return self._become(JobState.CANCELLED, now)

    def requeue(self, now: datetime) -> Self:
        """Return FAILED, DEADLETTER or CANCELLED to QUEUED with all its attempts; the history stays."""
        if not self.is_final:
            raise TransitionNotAllowedError(self.state, JobState.QUEUED)
        at = self._not_before(now)
        return self._become(JobState.QUEUED, at, queued_at=at, attempts=0, losses=0)

    def with_progress(self, progress: Progress) -> Self:
        """Note what the running attempt said, at the same version."""
        if self.state is not JobState.RUNNING:
            raise InvalidFieldError("progress", f"a {self.state} job runs no attempt")
        return self._with(progress=progress)

    def is_news_after(self, other: Self) -> bool:
        """Tell whether this is a later version of the same job, or the same one with later progress."""
        if self.version != other.version or self.progress is None:
            return self.version > other.version
        return other.progress is None or self.progress.at > other.progress.at

    def _require_running(self, target: JobState) -> None:
        if self.state is not JobState.RUNNING:
            raise TransitionNotAllowedError(self.state, target)

    def _not_before(self, now: datetime) -> datetime:
        """Return `now`, or when the job changed last: clocks differ by some ms, a job's times never run backwards."""
        return max(now, self.updated_at)

    def _become(self, target: JobState, now: datetime, **changes: object) -> Self:
        if not may_become(self.state, target):
            raise TransitionNotAllowedError(self.state, target)
        at = self._not_before(now)
        return self._with(
            **changes,
            state=target,
            version=self.version + 1,
            updated_at=at,
            finished_at=at if target in FINAL_STATES else None,
            error_fingerprint=fingerprint(self.type, str(changes["last_error"])) if target in DEAD_STATES else "",
        )

    def _with(self, **changes: object) -> Self:
        kept = dict(zip(_FIELDS, _VALUES(self), strict=True))
        return type(self)(**(kept | changes))  # the constructor checks the names, the callers above the types


def first_version(created_at: datetime) -> int:
    """Return the version of a job that is new: in µs since 1970, so that those of an id never repeat.

    A later job of the same id, after the first was purged, begins above every version that the first had.
    """
    return (created_at - _EPOCH) // _MICROSECOND


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# What dataclasses.replace() does, several times faster: it is done twice in the life of every job.
_FIELDS = tuple(field.name for field in fields(Job))
_VALUES = attrgetter(*_FIELDS)


def ended_attempt(before: Job, after: Job) -> Attempt | None:
    """Return the attempt that the transition ended, or None when it did not leave RUNNING."""
    if before.state is not JobState.RUNNING or before.worker_id is None or before.started_at is None:
        return None
    return Attempt(
        id=before.attempt_id,
        number=before.attempts,
        worker_id=before.worker_id,
        started_at=before.started_at,
        finished_at=after.updated_at,
        outcome=after.last_outcome,
        error="" if after.last_outcome in _WITHOUT_ERROR else after.last_error,
    )


_WITHOUT_ERROR = frozenset({AttemptOutcome.SUCCEEDED, AttemptOutcome.CANCELLED, AttemptOutcome.RELEASED})


def _failed_as(failure: Failure, otherwise: AttemptOutcome) -> AttemptOutcome:
    return AttemptOutcome.TIMED_OUT if failure.kind is FailureKind.TIMEOUT else otherwise
