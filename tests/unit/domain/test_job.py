"""What a job may look like, whether new or loaded, and the attempt that a transition ends."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from scheduler.domain.attempt import Attempt, AttemptOutcome
from scheduler.domain.errors import InvalidFieldError
from scheduler.domain.job import Job, ended_attempt
from scheduler.domain.retry import FailureKind
from scheduler.domain.state import JobState
from tests.support.builders import NOW, JobFields, a_failure, a_job

LATER = NOW + timedelta(seconds=5)
NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001 - the very thing that is refused

IMPOSSIBLE: list[tuple[str, JobState, JobFields]] = [
    ("max_attempts", JobState.QUEUED, {"max_attempts": 0}),
    ("max_attempts", JobState.QUEUED, {"max_attempts": 101}),
    ("timeout", JobState.QUEUED, {"timeout": timedelta(microseconds=999)}),
    ("timeout", JobState.QUEUED, {"timeout": timedelta(hours=24, microseconds=1)}),
    ("version", JobState.QUEUED, {"version": 0}),
    ("attempts", JobState.QUEUED, {"attempts": 4}),
    ("attempts", JobState.QUEUED, {"attempts": -1}),
    ("attempts", JobState.QUEUED, {"losses": 1}),
    ("attempts", JobState.QUEUED, {"losses": -1}),
    ("run_at", JobState.QUEUED, {"run_at": NAIVE}),
    ("created_at", JobState.QUEUED, {"created_at": NAIVE, "run_at": NOW, "updated_at": NOW, "queued_at": NOW}),
    ("updated_at", JobState.QUEUED, {"updated_at": NAIVE}),
    ("queued_at", JobState.QUEUED, {"queued_at": NAIVE}),
    ("started_at", JobState.RUNNING, {"started_at": NAIVE}),
    ("finished_at", JobState.FAILED, {"finished_at": NAIVE}),
    ("queued_at", JobState.QUEUED, {"queued_at": None}),
    ("queued_at", JobState.RUNNING, {"queued_at": None}),
    ("worker_id", JobState.RUNNING, {"worker_id": None}),
    ("worker_id", JobState.RUNNING, {"started_at": None}),
    ("finished_at", JobState.RUNNING, {"finished_at": NOW}),
    ("finished_at", JobState.RETRYING, {"finished_at": NOW}),
    ("finished_at", JobState.SUCCEEDED, {"finished_at": None}),
    ("finished_at", JobState.CANCELLED, {"finished_at": None}),
]


@pytest.mark.parametrize(("field", "state", "fields"), IMPOSSIBLE)
def test_a_job_that_cannot_exist_is_refused(field: str, state: JobState, fields: JobFields) -> None:
    with pytest.raises(InvalidFieldError) as refusal:
        a_job(state, **fields)

    assert refusal.value.field == field


@pytest.mark.parametrize("state", JobState)
def test_a_job_can_be_in_every_state(state: JobState) -> None:
    job = a_job(state)

    assert job.is_final == (state in {JobState.SUCCEEDED, JobState.FAILED, JobState.DEADLETTER, JobState.CANCELLED})


@pytest.mark.parametrize(
    "fields",
    [
        JobFields(max_attempts=1),
        JobFields(max_attempts=100, attempts=100, losses=100),
        JobFields(timeout=timedelta(milliseconds=1)),
        JobFields(timeout=timedelta(hours=24)),
    ],
)
def test_the_limits_themselves_are_allowed(fields: JobFields) -> None:
    assert a_job(**fields).version == 1


ENDINGS: list[tuple[Callable[[Job], Job], AttemptOutcome, str]] = [
    (lambda job: job.succeed(LATER), AttemptOutcome.SUCCEEDED, ""),
    (lambda job: job.fail(a_failure(), LATER, 0.5), AttemptOutcome.RETRY, "broken"),
    (lambda job: job.fail(a_failure(FailureKind.PERMANENT), LATER, 0.5), AttemptOutcome.FAILED, "broken"),
    (lambda job: job.fail(a_failure(FailureKind.TIMEOUT), LATER, 0.5), AttemptOutcome.TIMED_OUT, "broken"),
    (lambda job: job.lose(LATER), AttemptOutcome.LOST, "worker lost"),
    (lambda job: job.cancel(LATER), AttemptOutcome.CANCELLED, ""),
    (lambda job: job.release(LATER), AttemptOutcome.RELEASED, ""),
]


@pytest.mark.parametrize(("end", "outcome", "error"), ENDINGS, ids=[outcome for _, outcome, _ in ENDINGS])
def test_whoever_leaves_running_ends_the_attempt(
    end: Callable[[Job], Job], outcome: AttemptOutcome, error: str
) -> None:
    before = a_job(JobState.RUNNING, attempts=2, version=6, last_error="an older error")

    assert before.worker_id is not None
    assert before.started_at is not None
    assert ended_attempt(before, end(before)) == Attempt(
        id=before.attempt_id,
        number=2,
        worker_id=before.worker_id,
        started_at=before.started_at,
        finished_at=LATER,
        outcome=outcome,
        error=error,
    )


@pytest.mark.parametrize("state", sorted(set(JobState) - {JobState.RUNNING, JobState.SUCCEEDED}))
def test_a_transition_from_another_state_ends_no_attempt(state: JobState) -> None:
    before = a_job(state)

    after = before.requeue(LATER) if before.is_final else before.cancel(LATER)

    assert ended_attempt(before, after) is None
