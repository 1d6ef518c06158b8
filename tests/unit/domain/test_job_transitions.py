"""Every transition from every state: the table's target with version + 1, or a refusal that changes nothing."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.errors import TransitionNotAllowedError
from scheduler.domain.fingerprint import fingerprint
from scheduler.domain.job import Job
from scheduler.domain.retry import FailureKind
from scheduler.domain.state import FINAL_STATES, REQUEUEABLE_STATES, TRANSITIONS, WAITING_STATES, JobState, may_become
from tests.support.builders import NOW, a_failure, a_job, a_worker_id

LATER = NOW + timedelta(days=2)
WORKER = a_worker_id()


@dataclass(frozen=True)
class Move:
    """A transition, the states that it may leave and where it leads; `last` needs a job on its last attempt."""

    make: Callable[[Job], Job]
    sources: frozenset[JobState]
    target: JobState
    last: bool = False


RUNNING = frozenset({JobState.RUNNING})
MOVES = {
    "start": Move(lambda job: job.start(WORKER, LATER), frozenset({JobState.QUEUED}), JobState.RUNNING),
    "succeed": Move(lambda job: job.succeed(LATER), RUNNING, JobState.SUCCEEDED),
    "fail": Move(lambda job: job.fail(a_failure(), LATER, 0.5), RUNNING, JobState.RETRYING),
    "fail for the last time": Move(
        lambda job: job.fail(a_failure(), LATER, 0.5), RUNNING, JobState.DEADLETTER, last=True
    ),
    "time out": Move(lambda job: job.fail(a_failure(FailureKind.TIMEOUT), LATER, 0.5), RUNNING, JobState.RETRYING),
    "fail for good": Move(lambda job: job.fail(a_failure(FailureKind.PERMANENT), LATER, 0.5), RUNNING, JobState.FAILED),
    "lose": Move(lambda job: job.lose(LATER), RUNNING, JobState.QUEUED),
    "lose the last time": Move(lambda job: job.lose(LATER), RUNNING, JobState.DEADLETTER, last=True),
    "release": Move(lambda job: job.release(LATER), RUNNING, JobState.QUEUED),
    "release the last": Move(lambda job: job.release(LATER), RUNNING, JobState.QUEUED, last=True),
    "make_due": Move(lambda job: job.make_due(LATER), frozenset(WAITING_STATES), JobState.QUEUED),
    "cancel": Move(lambda job: job.cancel(LATER), frozenset(JobState) - FINAL_STATES, JobState.CANCELLED),
    "requeue": Move(
        lambda job: job.requeue(LATER),
        frozenset({JobState.FAILED, JobState.DEADLETTER, JobState.CANCELLED}),
        JobState.QUEUED,
    ),
}


def a_job_for(move: Move, state: JobState) -> Job:
    started = state is not JobState.SCHEDULED and state is not JobState.QUEUED
    job = a_job(state, labels={"a": "b"}, idempotency_key="k")
    return replace(job, attempts=3) if move.last and started else job


@pytest.mark.parametrize("state", JobState)
@pytest.mark.parametrize("name", MOVES)
def test_a_transition_leads_where_the_table_says_or_is_refused(name: str, state: JobState) -> None:
    move = MOVES[name]
    job = a_job_for(move, state)
    before = replace(job)

    if state in move.sources:
        after = move.make(job)
        assert may_become(state, move.target)
        assert (after.state, after.version, after.updated_at) == (move.target, job.version + 1, LATER)
        assert after.finished_at == (LATER if move.target in FINAL_STATES else None)
        assert unchanging(after) == unchanging(job)
    else:
        with pytest.raises(TransitionNotAllowedError) as refusal:
            move.make(job)
        assert refusal.value.current is state
    assert job == before


@pytest.mark.parametrize("name", MOVES)
def test_the_times_of_a_job_never_run_backwards_though_the_clocks_of_its_processes_differ(name: str) -> None:
    move = MOVES[name]
    ahead = LATER + timedelta(milliseconds=50)
    for state in move.sources:
        after = move.make(replace(a_job_for(move, state), updated_at=ahead))
        assert after.updated_at == ahead
        if move.target is JobState.RUNNING:
            assert after.started_at == ahead
        assert after.finished_at == (ahead if move.target in FINAL_STATES else None)


def unchanging(job: Job) -> tuple[object, ...]:
    """What no transition changes."""
    return (
        job.id,
        job.type,
        job.priority,
        job.max_attempts,
        job.timeout,
        job.retry_policy,
        job.request_hash,
        job.idempotency_key,
        job.labels,
        job.created_at,
    )


def test_the_transitions_reach_exactly_what_the_table_allows() -> None:
    reached = {(source, move.target) for move in MOVES.values() for source in move.sources}

    assert reached == {(source, target) for source, targets in TRANSITIONS.items() for target in targets}


def test_the_table_covers_every_state_and_final_states_end_in_a_requeue_at_most() -> None:
    assert set(TRANSITIONS) == set(JobState)
    assert all(TRANSITIONS[state] <= {JobState.QUEUED} for state in FINAL_STATES)
    assert {state for state in JobState if TRANSITIONS[state] and state not in FINAL_STATES} == set(
        JobState
    ) - FINAL_STATES
    assert all(not may_become(state, state) for state in JobState)


def test_a_start_names_the_holder_and_the_attempt() -> None:
    job = a_job(version=7)

    running = job.start(WORKER, LATER)

    assert (running.worker_id, running.started_at, running.attempts) == (WORKER, LATER, 1)
    assert running.attempt_id == (job.id, 8)
    assert (running.queued_at, running.losses) == (job.queued_at, 0)


def test_a_success_says_so() -> None:
    job = a_job(JobState.RUNNING)

    assert job.succeed(LATER).last_outcome is AttemptOutcome.SUCCEEDED


@pytest.mark.parametrize(
    ("kind", "attempts", "outcome"),
    [
        (FailureKind.ERROR, 1, AttemptOutcome.RETRY),
        (FailureKind.ERROR, 3, AttemptOutcome.FAILED),
        (FailureKind.TIMEOUT, 1, AttemptOutcome.TIMED_OUT),
        (FailureKind.TIMEOUT, 3, AttemptOutcome.TIMED_OUT),
        (FailureKind.PERMANENT, 1, AttemptOutcome.FAILED),
        (FailureKind.PERMANENT, 3, AttemptOutcome.FAILED),
    ],
)
def test_a_failure_keeps_its_error_and_outcome(kind: FailureKind, attempts: int, outcome: AttemptOutcome) -> None:
    failed = a_job(JobState.RUNNING, attempts=attempts).fail(a_failure(kind, "no route"), LATER, 0.5)

    assert (failed.last_outcome, failed.last_error, failed.attempts) == (outcome, "no route", attempts)


def test_a_retry_is_due_after_its_backoff() -> None:
    failed = a_job(JobState.RUNNING, attempts=2).fail(a_failure(), LATER, 0.5)

    assert failed.run_at == LATER + timedelta(seconds=2)


def test_a_handler_may_ask_for_its_own_delay() -> None:
    failed = a_job(JobState.RUNNING).fail(a_failure(retry_after=timedelta(seconds=42)), LATER, 0.5)

    assert failed.run_at == LATER + timedelta(seconds=42)


def test_a_dead_letter_keeps_its_time() -> None:
    job = a_job(JobState.RUNNING, attempts=3)

    assert job.fail(a_failure(), LATER, 0.5).run_at == job.run_at


def test_a_lost_job_keeps_its_place_and_burns_an_attempt() -> None:
    job = a_job(JobState.RUNNING, attempts=2, losses=1)

    lost = job.lose(LATER)

    assert (lost.state, lost.queued_at, lost.run_at) == (JobState.QUEUED, job.queued_at, job.run_at)
    assert (lost.attempts, lost.losses, lost.last_outcome) == (2, 2, AttemptOutcome.LOST)
    assert lost.last_error == "worker lost"


def test_a_job_that_loses_its_last_worker_tells_how_often() -> None:
    dead = a_job(JobState.RUNNING, attempts=3, losses=1).lose(LATER)

    assert (dead.state, dead.losses) == (JobState.DEADLETTER, 2)
    assert dead.last_error == "worker lost in 2 of 3 attempts"


def test_a_release_gives_the_attempt_back_and_keeps_the_place() -> None:
    job = a_job(JobState.RUNNING, attempts=2, losses=1)

    released = job.release(LATER)

    assert (released.attempts, released.losses, released.queued_at) == (1, 1, job.queued_at)
    assert released.last_outcome is AttemptOutcome.RELEASED


@pytest.mark.parametrize("state", sorted(WAITING_STATES))
def test_a_job_is_due_when_its_time_comes_and_queued_at_that_time(state: JobState) -> None:
    job = a_job(state)

    due = job.make_due(job.run_at)

    assert due.queued_at == job.run_at
    with pytest.raises(TransitionNotAllowedError):
        job.make_due(job.run_at - timedelta(microseconds=1))


@pytest.mark.parametrize("state", sorted(set(JobState) - FINAL_STATES))
def test_a_cancel_ends_an_attempt_only_where_one_runs(state: JobState) -> None:
    job = a_job(state)

    cancelled = job.cancel(LATER)

    expected = AttemptOutcome.CANCELLED if state is JobState.RUNNING else job.last_outcome
    assert cancelled.last_outcome is expected


def test_a_requeued_job_has_all_its_attempts_and_a_new_place() -> None:
    again = a_job(JobState.DEADLETTER, attempts=3, losses=2).requeue(LATER)

    assert (again.attempts, again.losses, again.queued_at) == (0, 0, LATER)
    assert (again.last_error, again.last_outcome) == ("broken", AttemptOutcome.FAILED)


def test_the_refusal_names_both_ends() -> None:
    with pytest.raises(TransitionNotAllowedError, match="a SUCCEEDED job cannot become QUEUED") as refusal:
        a_job(JobState.SUCCEEDED).requeue(LATER)

    assert (refusal.value.current, refusal.value.target) == (JobState.SUCCEEDED, JobState.QUEUED)


def test_a_job_that_an_error_ended_bears_the_fingerprint_of_its_kind() -> None:
    running = a_job(JobState.RUNNING, attempts=3)
    failed = running.fail(a_failure(FailureKind.PERMANENT, "no user 1"), LATER, 0.5)
    dead = running.fail(a_failure(error="no user 2"), LATER, 0.5)
    lost = running.lose(LATER)

    assert failed.error_fingerprint == dead.error_fingerprint == fingerprint("email.send", "no user 3")
    assert lost.error_fingerprint == fingerprint("email.send", "worker lost in 1 of 3 attempts")


def test_a_job_that_no_error_ended_bears_no_fingerprint() -> None:
    running = a_job(JobState.RUNNING)
    dead = a_job(JobState.DEADLETTER, error_fingerprint="0" * 16)

    for job in (running.fail(a_failure(), LATER, 0.5), running.succeed(LATER), running.cancel(LATER)):
        assert job.error_fingerprint == ""
    assert dead.requeue(LATER).error_fingerprint == ""


def test_a_requeue_leaves_every_final_state_but_success() -> None:
    assert FINAL_STATES - {JobState.SUCCEEDED} == REQUEUEABLE_STATES
