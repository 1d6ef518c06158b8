"""JobReader: attempts and queue_stats."""

from datetime import timedelta

import pytest

from scheduler.application.dto import JobFilter, QueueDepth
from scheduler.domain.attempt import Attempt, AttemptOutcome
from scheduler.domain.priority import Priority
from scheduler.domain.state import JobState
from tests.contract.steps import added, applied
from tests.support.backends import Run, StoreBackend
from tests.support.builders import (
    MICROSECOND,
    NOW,
    SECOND,
    a_failure,
    a_job,
    a_job_id,
    a_worker_id,
)


def test_attempts_of_a_job_that_does_not_exist_are_none(run: Run, store: StoreBackend) -> None:
    assert run(store.reader.attempts(a_job_id())) is None


def test_a_job_that_never_started_has_no_attempts(run: Run, store: StoreBackend) -> None:
    job = a_job(JobState.SCHEDULED)
    added(run, store, [job])

    assert run(store.reader.attempts(job.id)) == []


def test_the_running_attempt_is_the_last(run: Run, store: StoreBackend) -> None:
    first, second = a_worker_id(), a_worker_id()
    queued, other = a_job(), a_job()
    added(run, store, [queued, other])
    running = applied(run, store, queued, queued.start(first, NOW + SECOND))
    applied(run, store, other, other.start(second, NOW))
    failed = applied(run, store, running, running.fail(a_failure(error="no route"), NOW + 2 * SECOND, 0.5))
    due = applied(run, store, failed, failed.make_due(failed.run_at))
    again = applied(run, store, due, due.start(second, NOW + timedelta(seconds=9, microseconds=7)))

    assert run(store.reader.attempts(queued.id)) == [
        Attempt(
            id=running.attempt_id,
            number=1,
            worker_id=first,
            started_at=NOW + SECOND,
            finished_at=NOW + 2 * SECOND,
            outcome=AttemptOutcome.RETRY,
            error="no route",
        ),
        Attempt(id=again.attempt_id, number=2, worker_id=second, started_at=NOW + timedelta(seconds=9, microseconds=7)),
    ]


def test_attempts_are_ordered_by_fence_beyond_ten(run: Run, store: StoreBackend) -> None:
    job = a_job(max_attempts=100)
    added(run, store, [job])
    for _ in range(12):
        running = applied(run, store, job, job.start(a_worker_id(), NOW))
        job = applied(run, store, running, running.release(NOW))

    attempts = run(store.reader.attempts(job.id))

    assert attempts is not None
    assert [each.id.fence for each in attempts] == list(range(2, 26, 2))


def test_an_empty_store_counts_nothing(run: Run, store: StoreBackend) -> None:
    stats = run(store.reader.queue_stats())

    assert stats.queues == {priority: QueueDepth(depth=0, oldest_queued_at=None) for priority in Priority}
    assert (stats.running, stats.scheduled, stats.retrying, stats.dead_letters) == (0, 0, 0, 0)


def test_stats_count_each_state_and_queue(run: Run, store: StoreBackend) -> None:
    counts = {state: n for n, state in enumerate(JobState, start=1)}
    added(run, store, (a_job(state, priority=Priority.LOW) for state, n in counts.items() for _ in range(n)))
    highs = [a_job(priority=Priority.HIGH, queued_at=NOW + n * MICROSECOND) for n in (3, 1, 2)]
    added(run, store, highs)

    stats = run(store.reader.queue_stats())

    assert stats.queues[Priority.LOW] == QueueDepth(depth=counts[JobState.QUEUED], oldest_queued_at=NOW)
    assert stats.queues[Priority.HIGH] == QueueDepth(depth=3, oldest_queued_at=NOW + MICROSECOND)
    assert stats.queues[Priority.CRITICAL] == QueueDepth(depth=0, oldest_queued_at=None)
    assert stats.running == counts[JobState.RUNNING]
    assert stats.scheduled == counts[JobState.SCHEDULED]
    assert stats.retrying == counts[JobState.RETRYING]
    assert stats.dead_letters == counts[JobState.DEADLETTER]


def test_the_oldest_in_a_queue_is_one_that_still_waits(run: Run, store: StoreBackend) -> None:
    old, new = a_job(queued_at=NOW), a_job(queued_at=NOW + SECOND)
    added(run, store, [old, new])
    applied(run, store, old, old.start(a_worker_id(), NOW + SECOND))

    assert run(store.reader.queue_stats()).queues[old.priority] == QueueDepth(depth=1, oldest_queued_at=NOW + SECOND)


def test_stats_and_lists_agree_after_transitions(run: Run, store: StoreBackend) -> None:
    job = a_job()
    added(run, store, [job])
    running = applied(run, store, job, job.start(a_worker_id(), NOW))

    stats = run(store.reader.queue_stats())

    assert (stats.running, stats.queues[Priority.DEFAULT].depth) == (1, 0)
    assert list(run(store.reader.list_jobs(JobFilter(state=JobState.RUNNING), limit=5, after=None)).jobs) == [running]


def test_of_a_long_history_the_newest_attempts_are_shown(
    run: Run, store: StoreBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    for reader in ("cockroach", "memory"):
        monkeypatch.setattr(f"scheduler.adapters.{reader}.job_reader.HISTORY_CAP", 3)
    job = a_job(max_attempts=100)
    added(run, store, [job])
    for _ in range(5):
        running = applied(run, store, job, job.start(a_worker_id(), NOW))
        job = applied(run, store, running, running.release(NOW))
    applied(run, store, job, job.start(a_worker_id(), NOW))

    attempts = run(store.reader.attempts(job.id))

    assert attempts is not None
    assert [each.id.fence for each in attempts] == [6, 8, 10, 12]
