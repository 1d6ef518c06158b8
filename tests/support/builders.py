"""Things that tests need, complete and valid; a test names only what it is about."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TypedDict, Unpack
from uuid import uuid4

from scheduler.application.dto import Change, NewJob, QueueEntry, WorkerInfo
from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.ids import JobId, OpId, WorkerId
from scheduler.domain.job import Job, ended_attempt
from scheduler.domain.priority import Priority
from scheduler.domain.progress import Progress
from scheduler.domain.retry import Failure, FailureKind, RetryPolicy
from scheduler.domain.state import FINAL_STATES, JobState
from scheduler.domain.submission import Submission
from scheduler.domain.trace import TraceContext

NOW = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
END_OF_TIME = datetime.max.replace(tzinfo=UTC)


class SubmissionFields(TypedDict, total=False):
    type: str
    priority: Priority
    payload: str | None
    idempotency_key: str | None
    max_attempts: int
    timeout: timedelta
    retry_policy: RetryPolicy
    labels: Mapping[str, str]
    run_at: datetime | None


class JobFields(TypedDict, total=False):
    id: JobId
    type: str
    priority: Priority
    max_attempts: int
    timeout: timedelta
    retry_policy: RetryPolicy
    request_hash: str
    idempotency_key: str | None
    labels: Mapping[str, str]
    version: int
    op_id: OpId
    attempts: int
    losses: int
    run_at: datetime
    created_at: datetime
    updated_at: datetime
    queued_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    worker_id: WorkerId | None
    last_outcome: AttemptOutcome | None
    last_error: str
    error_fingerprint: str
    progress: Progress | None


def a_job_id() -> JobId:
    return JobId(uuid4())


def an_op_id() -> OpId:
    return OpId(uuid4())


def a_worker_id() -> WorkerId:
    return WorkerId(uuid4())


def a_submission(**fields: Unpack[SubmissionFields]) -> Submission:
    """Build a submission of an e-mail job, unless told otherwise."""
    given: SubmissionFields = {"type": "email.send", "priority": Priority.DEFAULT, **fields}
    return Submission(**given)


def a_job(state: JobState = JobState.QUEUED, **fields: Unpack[JobFields]) -> Job:
    """Build a job as it would look in that state, created at NOW."""
    created_at = fields.get("created_at", NOW)
    given: JobFields = {
        "id": a_job_id(),
        "type": "email.send",
        "priority": Priority.DEFAULT,
        "max_attempts": 3,
        "timeout": timedelta(seconds=300),
        "retry_policy": RetryPolicy(),
        "request_hash": "5" * 64,
        "run_at": created_at,
        "created_at": created_at,
        "updated_at": created_at,
        "version": 1,
        "op_id": an_op_id(),
        **_usual_in(state, created_at),
        **fields,
    }
    return Job(state=state, **given)


def _usual_in(state: JobState, created_at: datetime) -> JobFields:
    queued: JobFields = {"queued_at": created_at}
    if state is JobState.SCHEDULED:
        return {"run_at": created_at + HOUR}
    if state is JobState.QUEUED:
        return queued
    started: JobFields = {**queued, "version": 2, "attempts": 1, "worker_id": a_worker_id(), "started_at": created_at}
    if state is JobState.RUNNING:
        return started
    ended: JobFields = {**started, "version": 3, "last_outcome": _USUAL_OUTCOMES[state]}
    if state not in {JobState.SUCCEEDED, JobState.CANCELLED}:
        ended["last_error"] = "broken"
    if state in FINAL_STATES:
        return {**ended, "finished_at": created_at}
    return {**ended, "run_at": created_at + SECOND}


_USUAL_OUTCOMES: Mapping[JobState, AttemptOutcome] = {
    JobState.RETRYING: AttemptOutcome.RETRY,
    JobState.SUCCEEDED: AttemptOutcome.SUCCEEDED,
    JobState.FAILED: AttemptOutcome.FAILED,
    JobState.DEADLETTER: AttemptOutcome.FAILED,
    JobState.CANCELLED: AttemptOutcome.CANCELLED,
}


def progress_at(percent: float, at: datetime = NOW, message: str = "copying") -> Progress:
    """Say how far an attempt is."""
    return Progress(percent=percent, message=message, at=at)


def a_failure(
    kind: FailureKind = FailureKind.ERROR, error: str = "broken", retry_after: timedelta | None = None
) -> Failure:
    return Failure(kind=kind, error=error, retry_after=retry_after)


def a_trace(state: str = "") -> TraceContext:
    """Return a trace in which a job may be submitted."""
    return TraceContext(trace_id=uuid4().hex, span_id=uuid4().hex[:16], state=state)


def a_new_job(
    job: Job | None = None, payload: str | None = None, op_id: OpId | None = None, trace: TraceContext | None = None
) -> NewJob:
    """Wrap a job to be stored, a queued one unless given."""
    new = job or a_job()
    return NewJob(job=new if op_id is None else new.written_by(op_id), payload=payload, trace=trace)


def a_change(
    before: Job, after: Job, *, op_id: OpId | None = None, payload: str | None = None, result: str | None = None
) -> Change:
    """Wrap a transition to be stored, with the attempt that it ended."""
    ended = ended_attempt(before, after)
    return Change(
        job=after,
        before_op_id=before.op_id,
        op_id=op_id or an_op_id(),
        ended=ended,
        payload=payload,
        result=result,
    )


def an_entry(job: Job) -> QueueEntry:
    """Return the place of a job that has one."""
    assert job.queued_at is not None
    return QueueEntry(job_id=job.id, priority=job.priority, queued_at=job.queued_at)


def a_queue_entry(
    priority: Priority = Priority.DEFAULT, queued_at: datetime = NOW, job_id: JobId | None = None
) -> QueueEntry:
    return QueueEntry(job_id=job_id or a_job_id(), priority=priority, queued_at=queued_at)


def a_worker(worker_id: WorkerId | None = None) -> WorkerInfo:
    """Describe a worker process with ten slots."""
    return WorkerInfo(
        id=worker_id or a_worker_id(),
        host="host-1",
        pid=4711,
        version="1.2.3",
        slots=10,
        handlers=["email.send", "noop"],
    )
