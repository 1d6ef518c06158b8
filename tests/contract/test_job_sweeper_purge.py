"""JobSweeper: purge."""

from datetime import timedelta

import pytest

from scheduler.application.dto import JobFilter, PurgeRule
from scheduler.domain.ids import JobId
from scheduler.domain.state import FINAL_STATES, JobState
from tests.contract.steps import added, applied
from tests.support.backends import Run, StoreBackend
from tests.support.builders import HOUR, MICROSECOND, NOW, a_job, a_worker_id

RULE = PurgeRule(states=[JobState.SUCCEEDED, JobState.CANCELLED], keep_for=HOUR)
AGES = {"old": HOUR + MICROSECOND, "just old enough to stay": HOUR, "young": timedelta(0)}


def stored(run: Run, store: StoreBackend) -> set[JobId]:
    return {job.id for job in run(store.reader.list_jobs(JobFilter(), limit=1000, after=None)).jobs}


@pytest.mark.parametrize("age", AGES)
def test_only_jobs_that_the_rule_names_and_that_ended_long_enough_ago_go(
    run: Run, store: StoreBackend, age: str
) -> None:
    final = {state: a_job(state, created_at=NOW - AGES[age]) for state in sorted(FINAL_STATES)}
    others = [a_job(state, created_at=NOW - 9 * HOUR) for state in JobState if state not in FINAL_STATES]
    added(run, store, [*final.values(), *others])
    doomed = {final[state].id for state in RULE.states} if age == "old" else set()

    assert run(store.sweeper.purge(RULE, now=NOW, limit=100)) == len(doomed)

    assert stored(run, store) == {job.id for job in (*final.values(), *others)} - doomed


def test_the_age_counts_from_the_end(run: Run, store: StoreBackend) -> None:
    job = a_job(JobState.SUCCEEDED, created_at=NOW - 9 * HOUR, finished_at=NOW)
    added(run, store, [job])

    assert run(store.sweeper.purge(RULE, now=NOW, limit=100)) == 0


def test_a_limit_bounds_each_call(run: Run, store: StoreBackend) -> None:
    jobs = [a_job(state, created_at=NOW - 2 * HOUR) for state in RULE.states for _ in range(5)]
    added(run, store, jobs)

    assert [run(store.sweeper.purge(RULE, now=NOW, limit=4)) for _ in range(4)] == [4, 4, 2, 0]
    assert stored(run, store) == set()


def test_a_job_goes_with_its_labels_history_and_names(run: Run, store: StoreBackend) -> None:
    queued = a_job(idempotency_key="k", labels={"a": "b"}, created_at=NOW - 2 * HOUR)
    added(run, store, [queued])
    running = applied(run, store, queued, queued.start(a_worker_id(), NOW - 2 * HOUR))
    applied(run, store, running, running.succeed(NOW - 2 * HOUR))

    assert run(store.sweeper.purge(RULE, now=NOW, limit=100)) == 1

    assert run(store.reader.attempts(queued.id)) is None
    assert list(run(store.repository.find_taken([queued.id], ["k"]))) == []
    again = a_job(id=queued.id, idempotency_key="k")
    added(run, store, [again])
    assert list(run(store.reader.list_jobs(JobFilter(labels={"a": "b"}), limit=5, after=None)).jobs) == []
    assert run(store.reader.attempts(queued.id)) == []


def test_a_rule_without_states_deletes_nothing(run: Run, store: StoreBackend) -> None:
    added(run, store, [a_job(JobState.SUCCEEDED, created_at=NOW - 9 * HOUR)])

    assert run(store.sweeper.purge(PurgeRule(states=[], keep_for=timedelta(0)), now=NOW, limit=100)) == 0
