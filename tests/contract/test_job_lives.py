"""JobRepository and its neighbours, when a job is purged and another one is submitted under its id."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from scheduler.application.dto import ProgressNote, PurgeRule
from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.job import Job, first_version
from scheduler.domain.state import FINAL_STATES, JobState
from tests.contract.steps import added, applied, history, loaded, registered
from tests.support.backends import Run, StoreBackend
from tests.support.builders import HOUR, NOW, SECOND, a_change, a_job, a_worker_id, progress_at

OLD_WORKER, NEW_WORKER = a_worker_id(), a_worker_id()
LATER = NOW + HOUR
EVERYTHING = PurgeRule(states=sorted(FINAL_STATES), keep_for=timedelta(0))


def a_first_job(*, counted: bool) -> Job:
    """Build a queued job; `counted`: its versions begin at 1, as they did before they began with the time."""
    return a_job(created_at=NOW, version=1 if counted else first_version(NOW))


def its_successor(first: Job, state: JobState = JobState.QUEUED) -> Job:
    """Build another job of the same id, submitted an hour later."""
    version = 1 if first.version < first_version(NOW) else first_version(LATER)
    return a_job(state, id=first.id, created_at=LATER, version=version, attempts=0, worker_id=None)


@pytest.fixture(params=[True, False], ids=["versions-repeat", "versions-grow"])
def first(request: pytest.FixtureRequest) -> Job:
    return a_first_job(counted=request.param)


def replaced(run: Run, store: StoreBackend, first: Job, state: JobState = JobState.QUEUED) -> tuple[Job, Job]:
    """Start a job, cancel it, purge it and submit another of its id; return the old attempt and the new job."""
    added(run, store, [first])
    old = applied(run, store, first, first.start(OLD_WORKER, NOW))
    applied(run, store, old, old.cancel(NOW))
    assert run(store.sweeper.purge(EVERYTHING, now=NOW + SECOND, limit=9)) == 1
    new = its_successor(first, state)
    added(run, store, [new])
    return old, new


LIVES: dict[str, tuple[JobState, Callable[[Job], Job]]] = {
    "running": (JobState.QUEUED, lambda job: job.start(NEW_WORKER, LATER)),
    "queued": (JobState.SCHEDULED, lambda job: job.make_due(job.run_at)),
    "cancelled": (JobState.QUEUED, lambda job: job.cancel(LATER)),
}


@pytest.mark.parametrize("life", LIVES)
def test_a_late_result_of_the_old_job_leaves_the_new_one_as_it_is(
    run: Run, store: StoreBackend, first: Job, life: str
) -> None:
    state, move = LIVES[life]
    old, new = replaced(run, store, first, state)
    now = applied(run, store, new, move(new))

    late = a_change(old, old.succeed(LATER), result="1")
    assert run(store.repository.apply([late])) == frozenset()

    details = run(store.repository.load_details([first.id]))[first.id]
    assert (details.job, details.job.op_id, details.result) == (now, now.op_id, None)
    assert [attempt.outcome for attempt in history(run, store, now)] == ([None] if life == "running" else [])


def test_the_new_job_is_recorded_by_its_own_attempt(run: Run, store: StoreBackend, first: Job) -> None:
    old, new = replaced(run, store, first)
    started = applied(run, store, new, new.start(NEW_WORKER, LATER))
    for late in (old.succeed(LATER), old.release(LATER), old.lose(LATER), old.cancel(LATER)):
        assert run(store.repository.apply([a_change(old, late)])) == frozenset()

    applied(run, store, started, started.succeed(LATER))

    [attempt] = history(run, store, started)
    assert (attempt.worker_id, attempt.outcome) == (NEW_WORKER, AttemptOutcome.SUCCEEDED)


def test_progress_of_the_old_attempt_is_not_the_new_ones(run: Run, store: StoreBackend, first: Job) -> None:
    old, new = replaced(run, store, first)
    started = applied(run, store, new, new.start(NEW_WORKER, LATER))

    def note(job: Job) -> ProgressNote:
        return ProgressNote(attempt_id=job.attempt_id, op_id=job.op_id, progress=progress_at(50, LATER))

    assert run(store.repository.note_progress([note(old)])) == frozenset()
    assert loaded(run, store, started).progress is None
    assert run(store.repository.note_progress([note(started)])) == {new.id}


def test_a_deletion_that_was_decided_on_the_old_job_spares_the_new_one(
    run: Run, store: StoreBackend, first: Job
) -> None:
    added(run, store, [first])
    cancelled = applied(run, store, first, first.cancel(NOW))
    assert run(store.ended_jobs.delete([cancelled])) == 1
    new = its_successor(first)
    added(run, store, [new])
    ended = applied(run, store, new, new.cancel(LATER))

    assert run(store.ended_jobs.delete([cancelled])) == 0

    assert loaded(run, store, first) == ended


def test_a_worker_that_holds_the_new_job_holds_not_the_old_attempt(run: Run, store: StoreBackend) -> None:
    worker_id = registered(run, store)
    old, new = replaced(run, store, a_first_job(counted=False))
    again = applied(run, store, new, new.start(worker_id, LATER))

    assert run(store.registry.held_attempts(worker_id)) == {again.attempt_id}
    assert again.attempt_id.fence > old.attempt_id.fence


def test_of_two_starts_from_one_version_the_results_of_the_stored_one_count(run: Run, store: StoreBackend) -> None:
    queued = a_job()
    added(run, store, [queued])
    # A failover has lost the first start: the job was started again, under the same fence.
    forgotten = a_change(queued, queued.start(OLD_WORKER, NOW)).stored_job
    started = applied(run, store, queued, queued.start(NEW_WORKER, NOW))
    assert forgotten.attempt_id == started.attempt_id

    assert run(store.repository.apply([a_change(forgotten, forgotten.succeed(LATER), result="1")])) == frozenset()
    note = ProgressNote(attempt_id=started.attempt_id, op_id=forgotten.op_id, progress=progress_at(9))
    assert run(store.repository.note_progress([note])) == frozenset()

    assert loaded(run, store, queued) == started
    applied(run, store, started, started.succeed(LATER))


def test_a_loaded_job_names_the_write_that_made_its_version(run: Run, store: StoreBackend) -> None:
    queued = a_job()
    added(run, store, [queued])
    assert loaded(run, store, queued).op_id == queued.op_id
    started = a_change(queued, queued.start(NEW_WORKER, NOW))
    run(store.repository.apply([started]))

    assert loaded(run, store, queued).op_id == started.op_id
    details = run(store.repository.load_details([queued.id]))[queued.id]
    assert details.job.op_id == started.op_id
    assert replace(details.job, op_id=queued.op_id) == details.job
