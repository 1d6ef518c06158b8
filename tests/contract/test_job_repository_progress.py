"""JobRepository: note_progress, and what transitions do to progress."""

import pytest

from scheduler.application.dto import JobFilter, ProgressNote
from scheduler.domain.ids import AttemptId, Fence
from scheduler.domain.job import Job
from scheduler.domain.progress import Progress
from scheduler.domain.state import JobState
from tests.contract.steps import added, applied, loaded, running
from tests.support.backends import Run, StoreBackend
from tests.support.builders import MICROSECOND, NOW, SECOND, a_change, a_job, a_worker_id, progress_at

WORKER = a_worker_id()
LATER = NOW + SECOND


def note(job: Job, progress: Progress) -> ProgressNote:
    return ProgressNote(attempt_id=job.attempt_id, op_id=job.op_id, progress=progress)


@pytest.mark.parametrize("percent", [0.0, 33.333333, 1e-06, 100.0])
@pytest.mark.parametrize("message", ["", "é\n'%s' \\ \"{NULL,}\U0001f4a5", "NULL"])
def test_a_note_is_kept_and_changes_nothing_else(run: Run, store: StoreBackend, percent: float, message: str) -> None:
    (job,) = running(run, store, WORKER)
    said = Progress(percent=percent, message=message, at=LATER + MICROSECOND)

    assert run(store.repository.note_progress([note(job, said)])) == {job.id}

    assert loaded(run, store, job) == job.with_progress(said)
    assert run(store.repository.load_details([job.id]))[job.id].job == job.with_progress(said)
    assert list(run(store.reader.list_jobs(JobFilter(), limit=9, after=None)).jobs) == [job.with_progress(said)]


def test_a_batch_of_notes_is_stored_each_judged_alone(run: Run, store: StoreBackend) -> None:
    first, gone, second = running(run, store, WORKER, 3)
    waiting, ghost = a_job(), a_job(JobState.RUNNING)
    added(run, store, [waiting])
    cancelled = applied(run, store, gone, gone.cancel(LATER))

    batch = [note(job, progress_at(percent)) for percent, job in enumerate([second, gone, waiting, ghost, first])]
    assert run(store.repository.note_progress(batch)) == {first.id, second.id}

    assert [loaded(run, store, job) for job in (first, second)] == [
        first.with_progress(progress_at(4)),
        second.with_progress(progress_at(0)),
    ]
    assert [loaded(run, store, job) for job in (gone, waiting)] == [cancelled, waiting]


def test_an_attempt_that_lost_its_job_says_nothing_any_more(run: Run, store: StoreBackend) -> None:
    (old,) = running(run, store, WORKER)
    lost = applied(run, store, old, old.lose(LATER))
    new = applied(run, store, lost, lost.start(WORKER, LATER))

    future = ProgressNote(
        attempt_id=AttemptId(new.id, Fence(new.version + 1)), op_id=new.op_id, progress=progress_at(70)
    )
    for stale in (note(old, progress_at(60)), future):
        assert run(store.repository.note_progress([stale])) == frozenset()

    assert loaded(run, store, new) == new


def test_a_final_job_keeps_what_its_attempt_said(run: Run, store: StoreBackend) -> None:
    (job,) = running(run, store, WORKER)
    ended = applied(run, store, job, job.with_progress(progress_at(99)).succeed(LATER))

    under_its_last_version = note(ended, progress_at(1, LATER))
    assert run(store.repository.note_progress([under_its_last_version])) == frozenset()

    assert loaded(run, store, job).progress == progress_at(99)


def test_an_earlier_note_never_replaces_a_later_one_and_a_repeat_is_the_same_as_one(
    run: Run, store: StoreBackend
) -> None:
    (job,) = running(run, store, WORKER)
    early, late = note(job, progress_at(80)), note(job, progress_at(20, LATER))

    answers = [run(store.repository.note_progress([each])) for each in (late, late, early)]

    assert answers == [{job.id}, {job.id}, frozenset()]
    assert loaded(run, store, job).progress == late.progress


def test_a_transition_carries_the_last_note_and_the_next_start_forgets_it(run: Run, store: StoreBackend) -> None:
    (job,) = running(run, store, WORKER)
    run(store.repository.note_progress([note(job, progress_at(10))]))

    released = applied(run, store, job, job.with_progress(progress_at(40, LATER)).release(LATER))
    assert loaded(run, store, job).progress == progress_at(40, LATER)

    applied(run, store, released, released.start(WORKER, LATER))
    assert loaded(run, store, job).progress is None


def test_noting_nothing_is_fine(run: Run, store: StoreBackend) -> None:
    assert run(store.repository.note_progress([])) == frozenset()


def test_a_start_that_is_sent_again_takes_back_nothing_that_was_said(run: Run, store: StoreBackend) -> None:
    waiting = a_job()
    added(run, store, [waiting])
    started = a_change(waiting, waiting.start(WORKER, NOW))
    assert run(store.repository.apply([started])) == {waiting.id}
    said = started.stored_job.with_progress(progress_at(40))
    assert run(store.repository.note_progress([note(said, progress_at(40))])) == {waiting.id}

    assert run(store.repository.apply([started])) == {waiting.id}

    assert loaded(run, store, waiting) == said
