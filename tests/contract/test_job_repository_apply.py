"""JobRepository: apply, the compare-and-set of transitions."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from scheduler.application.dto import Change
from scheduler.application.errors import StoreRejectedError
from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.job import Job
from scheduler.domain.state import JobState
from tests.contract.steps import added, applied, history, loaded, running
from tests.support.backends import Run, StoreBackend
from tests.support.builders import NOW, SECOND, a_change, a_failure, a_job, a_worker_id, an_op_id

WORKER = a_worker_id()
LATER = NOW + timedelta(seconds=3, microseconds=1)


def a_running_job(run: Run, store: StoreBackend) -> Job:
    (job,) = running(run, store, WORKER)
    return job


TRANSITIONS: dict[str, tuple[Callable[[Job], Job], AttemptOutcome | None]] = {
    "succeed": (lambda job: job.succeed(LATER), AttemptOutcome.SUCCEEDED),
    "retry": (lambda job: job.fail(a_failure(error="é\n\U0001f4a5"), LATER, 0.3), AttemptOutcome.RETRY),
    "lose": (lambda job: job.lose(LATER), AttemptOutcome.LOST),
    "release": (lambda job: job.release(LATER), AttemptOutcome.RELEASED),
    "cancel": (lambda job: job.cancel(LATER), AttemptOutcome.CANCELLED),
}


@pytest.mark.parametrize("name", TRANSITIONS)
def test_a_transition_is_stored_whole_with_the_attempt_that_it_ended(run: Run, store: StoreBackend, name: str) -> None:
    move, outcome = TRANSITIONS[name]
    before = a_running_job(run, store)
    after = move(before)

    applied(run, store, before, after)

    assert loaded(run, store, before) == after
    (attempt,) = history(run, store, before)
    assert (attempt.id, attempt.number, attempt.worker_id) == (before.attempt_id, 1, WORKER)
    assert (attempt.started_at, attempt.finished_at) == (before.started_at, LATER)
    assert (attempt.outcome, attempt.error) == (outcome, a_change(before, after).ended.error)  # type: ignore[union-attr] # it left RUNNING


def test_a_due_and_a_requeued_job_are_stored_whole(run: Run, store: StoreBackend) -> None:
    scheduled = a_job(JobState.SCHEDULED)
    added(run, store, [scheduled])
    queued = applied(run, store, scheduled, scheduled.make_due(scheduled.run_at))
    assert loaded(run, store, queued) == queued
    cancelled = applied(run, store, queued, queued.cancel(LATER))
    assert loaded(run, store, queued) == cancelled

    again = applied(run, store, cancelled, cancelled.requeue(LATER + SECOND))

    assert loaded(run, store, queued) == again
    assert history(run, store, again) == []


def test_a_lost_compare_and_set_changes_nothing(run: Run, store: StoreBackend) -> None:
    before = a_running_job(run, store)
    winner = applied(run, store, before, before.cancel(LATER))

    late = a_change(before, before.succeed(LATER + SECOND), result="2", payload="3")
    assert run(store.repository.apply([late])) == frozenset()

    assert loaded(run, store, before) == winner
    assert [attempt.outcome for attempt in history(run, store, before)] == [AttemptOutcome.CANCELLED]
    details = run(store.repository.load_details([before.id]))[before.id]
    assert (details.payload, details.result) == ("1", None)


def test_a_change_from_a_version_not_reached_changes_nothing(run: Run, store: StoreBackend) -> None:
    queued = a_job()
    added(run, store, [queued])
    future = queued.start(WORKER, NOW)

    assert run(store.repository.apply([a_change(future, future.succeed(NOW))])) == frozenset()

    assert loaded(run, store, queued) == queued
    assert history(run, store, queued) == []


def test_an_attempt_that_a_lost_change_would_end_is_not_recorded_beside_others(run: Run, store: StoreBackend) -> None:
    running_job, queued = a_running_job(run, store), a_job()
    added(run, store, [queued])
    future = queued.start(WORKER, NOW)

    wins, loses = a_change(running_job, running_job.succeed(LATER)), a_change(future, future.succeed(LATER))
    assert run(store.repository.apply([wins, loses])) == {running_job.id}

    assert history(run, store, queued) == []


def test_a_change_of_a_job_that_does_not_exist_is_lost(run: Run, store: StoreBackend) -> None:
    ghost = a_job()

    assert run(store.repository.apply([a_change(ghost, ghost.cancel(NOW))])) == frozenset()
    assert run(store.repository.load([ghost.id])) == {}


def test_a_repeat_with_the_same_op_counts_as_applied_and_changes_nothing(run: Run, store: StoreBackend) -> None:
    before = a_running_job(run, store)
    change = a_change(before, before.fail(a_failure(), LATER, 0.5), result="9")

    answers = [run(store.repository.apply([change])) for _ in range(3)]

    assert answers == [{before.id}] * 3
    assert loaded(run, store, before) == change.job
    assert history(run, store, before) == [change.ended]


def test_another_op_to_the_same_version_is_lost(run: Run, store: StoreBackend) -> None:
    before = a_running_job(run, store)
    change = a_change(before, before.succeed(LATER), result='"first"')
    run(store.repository.apply([change]))

    other = replace(change, op_id=an_op_id(), result='"second"')
    assert run(store.repository.apply([other])) == frozenset()

    assert run(store.repository.load_details([before.id]))[before.id].result == '"first"'


def test_a_repeat_after_the_job_moved_on_is_lost(run: Run, store: StoreBackend) -> None:
    before = a_running_job(run, store)
    change = a_change(before, before.release(LATER))
    run(store.repository.apply([change]))
    moved_on = applied(run, store, change.stored_job, change.job.start(WORKER, LATER + SECOND))

    assert run(store.repository.apply([change])) == frozenset()

    assert loaded(run, store, before) == moved_on
    assert [attempt.outcome for attempt in history(run, store, before)] == [AttemptOutcome.RELEASED, None]


def test_of_a_mixed_batch_each_change_is_judged_alone(run: Run, store: StoreBackend) -> None:
    wins, loses, repeats = (a_running_job(run, store) for _ in range(3))
    applied(run, store, loses, loses.cancel(LATER))
    repeat = a_change(repeats, repeats.succeed(LATER))
    run(store.repository.apply([repeat]))
    ghost = a_job()

    batch = [
        a_change(loses, loses.succeed(LATER)),
        a_change(wins, wins.succeed(LATER), result="[1]"),
        a_change(ghost, ghost.cancel(LATER)),
        repeat,
    ]
    assert run(store.repository.apply(batch)) == {wins.id, repeats.id}

    states = {job.state for job in run(store.repository.load([wins.id, repeats.id])).values()}
    assert states == {JobState.SUCCEEDED}
    assert loaded(run, store, loses).state is JobState.CANCELLED
    assert [len(history(run, store, job)) for job in (wins, loses, repeats)] == [1, 1, 1]


def test_applying_nothing_is_fine(run: Run, store: StoreBackend) -> None:
    assert run(store.repository.apply([])) == frozenset()


def test_payload_and_result_replace_the_stored_ones_unless_none(run: Run, store: StoreBackend) -> None:
    job = a_running_job(run, store)

    def details() -> tuple[str | None, str | None]:
        stored = run(store.repository.load_details([job.id]))[job.id]
        return stored.payload, stored.result

    failing = a_change(job, job.fail(a_failure(), LATER, 0.5), result='"\\u0000"')
    run(store.repository.apply([failing]))
    assert details() == ("1", '"\\u0000"')

    cancelled = applied(run, store, failing.stored_job, failing.job.cancel(LATER))
    assert details() == ("1", '"\\u0000"')

    run(store.repository.apply([a_change(cancelled, cancelled.requeue(LATER), payload="1e400")]))
    assert details() == ("1e400", '"\\u0000"')


def test_the_history_keeps_every_attempt_over_a_requeue(run: Run, store: StoreBackend) -> None:
    job = a_running_job(run, store)
    for _ in range(2):
        lost = applied(run, store, job, job.lose(LATER))
        job = applied(run, store, lost, lost.start(WORKER, LATER))
    dead = applied(run, store, job, job.lose(LATER))
    assert dead.state is JobState.DEADLETTER
    again = applied(run, store, dead, dead.requeue(LATER))
    applied(run, store, again, again.start(WORKER, LATER))

    attempts = history(run, store, job)

    assert [(each.number, each.outcome) for each in attempts] == [
        (1, AttemptOutcome.LOST),
        (2, AttemptOutcome.LOST),
        (3, AttemptOutcome.LOST),
        (1, None),
    ]
    assert [each.id.fence for each in attempts] == sorted(each.id.fence for each in attempts)


def test_data_that_cannot_be_stored_are_refused_with_their_batch(run: Run, store: StoreBackend) -> None:
    good, bad = a_running_job(run, store), a_running_job(run, store)

    def batch(result: str) -> list[Change]:
        return [a_change(good, good.succeed(LATER)), a_change(bad, bad.succeed(LATER), result=result)]

    for result in ('"\0"', '"\udc80"'):
        with pytest.raises(StoreRejectedError):
            run(store.repository.apply(batch(result)))

    assert [loaded(run, store, job) for job in (good, bad)] == [good, bad]
    assert run(store.repository.apply(batch("0"))) == {good.id, bad.id}
