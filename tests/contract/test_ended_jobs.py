"""EndedJobs: scans by filter, and deletion."""

from datetime import timedelta

import pytest

from scheduler.application.dead_letters import EndedCursor, EndedFilter
from scheduler.application.dto import JobFilter
from scheduler.domain.job import Job
from scheduler.domain.priority import Priority
from scheduler.domain.state import DEAD_STATES, FINAL_STATES, REQUEUEABLE_STATES, JobState
from tests.contract.steps import added, applied, history
from tests.support.backends import SMALL_SCAN, Run, StoreBackend
from tests.support.builders import HOUR, MICROSECOND, NOW, JobFields, a_change, a_failure, a_job, a_worker_id

DEAD = EndedFilter(states=DEAD_STATES)
FINGERPRINT = "0123456789abcdef"

# A filter, and what makes a dead letter match it; one without it does not.
FILTERS: dict[str, tuple[EndedFilter, JobFields, JobFields]] = {
    "priority": (EndedFilter(states=DEAD_STATES, priority=Priority.LOW), {"priority": Priority.LOW}, {}),
    "type": (EndedFilter(states=DEAD_STATES, type="x"), {"type": "x"}, {"type": "X"}),
    "labels": (
        EndedFilter(states=DEAD_STATES, labels={"a": "1", "b": "2"}),
        {"labels": {"a": "1", "b": "2", "c": "3"}},
        {"labels": {"a": "1", "b": "3"}},
    ),
    "created after": (
        EndedFilter(states=DEAD_STATES, created_after=NOW),
        {"created_at": NOW, "finished_at": NOW},
        {"created_at": NOW - MICROSECOND, "finished_at": NOW},
    ),
    "created before": (
        EndedFilter(states=DEAD_STATES, created_before=NOW),
        {"created_at": NOW - MICROSECOND, "finished_at": NOW},
        {"created_at": NOW, "finished_at": NOW},
    ),
    "finished after": (
        EndedFilter(states=DEAD_STATES, finished_after=NOW),
        {"finished_at": NOW},
        {"finished_at": NOW - MICROSECOND},
    ),
    "finished before": (
        EndedFilter(states=DEAD_STATES, finished_before=NOW),
        {"finished_at": NOW - MICROSECOND},
        {"finished_at": NOW},
    ),
    "text of the error": (
        EndedFilter(states=DEAD_STATES, error_text="50%_'\\"),
        {"last_error": "at 50%_'\\é"},
        {"last_error": "at 50x_'\\é"},
    ),
    "case of the error": (EndedFilter(states=DEAD_STATES, error_text="No"), {"last_error": "No"}, {"last_error": "no"}),
    "kind of error": (
        EndedFilter(states=DEAD_STATES, error_fingerprint=FINGERPRINT),
        {"error_fingerprint": FINGERPRINT},
        {"error_fingerprint": "f" * 16},
    ),
    "unknown kind of error": (
        EndedFilter(states=DEAD_STATES, error_fingerprint=""),
        {"error_fingerprint": ""},
        {"error_fingerprint": FINGERPRINT},
    ),
}


def scanned(run: Run, store: StoreBackend, job_filter: EndedFilter) -> list[Job]:
    """Walk through all steps of a scan."""
    ids = []
    after: EndedCursor | None = None
    while True:
        page = run(store.ended_jobs.scan(job_filter, after=after))
        assert len(page.found) <= SMALL_SCAN
        ids += [found.id for found in page.found]
        if page.next is None:
            jobs = run(store.repository.load(ids))
            return [jobs[job_id] for job_id in ids]
        after = page.next


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("with_success", [False, True])
def test_every_filter_is_applied(run: Run, store: StoreBackend, name: str, with_success: bool) -> None:  # noqa: FBT001 - a parameter
    job_filter, matching, other = FILTERS[name]
    if with_success and job_filter.error_fingerprint is None:
        job_filter = EndedFilter(
            **{field: getattr(job_filter, field) for field in job_filter.__dataclass_fields__ if field != "states"},
            states=FINAL_STATES,
        )
    wanted = [a_job(state, **matching) for state in sorted(DEAD_STATES)]
    added(run, store, [*wanted, *(a_job(state, **other) for state in sorted(DEAD_STATES))])

    assert {job.id for job in scanned(run, store, job_filter)} == {job.id for job in wanted}


@pytest.mark.parametrize("states", [DEAD_STATES, FINAL_STATES, REQUEUEABLE_STATES, {JobState.CANCELLED}], ids=sorted)
def test_only_the_states_that_are_named_are_found(run: Run, store: StoreBackend, states: frozenset[JobState]) -> None:
    jobs = [a_job(state) for state in JobState]
    added(run, store, jobs)

    found = scanned(run, store, EndedFilter(states=frozenset(states)))

    assert {job.state for job in found} == states


def test_a_kind_of_error_has_no_jobs_in_other_states(run: Run, store: StoreBackend) -> None:
    added(run, store, [a_job(state) for state in JobState])

    found = scanned(run, store, EndedFilter(states=FINAL_STATES, error_fingerprint=""))

    assert {job.state for job in found} == DEAD_STATES


def test_a_kind_of_error_may_be_narrowed_to_one_state(run: Run, store: StoreBackend) -> None:
    added(run, store, [a_job(state) for state in JobState])

    found = scanned(run, store, EndedFilter(states=frozenset({JobState.FAILED}), error_fingerprint=""))

    assert [job.state for job in found] == [JobState.FAILED]


def test_the_oldest_end_comes_first_across_states_and_steps(run: Run, store: StoreBackend) -> None:
    states = sorted(REQUEUEABLE_STATES)
    jobs = [a_job(states[n % 3], created_at=NOW - n * HOUR, finished_at=NOW + n * MICROSECOND) for n in range(10)]
    added(run, store, jobs[::-1])

    assert scanned(run, store, EndedFilter(states=REQUEUEABLE_STATES)) == jobs
    assert scanned(run, store, EndedFilter(states=DEAD_STATES, error_fingerprint="")) == [
        job for job in jobs if job.state in DEAD_STATES
    ]


def test_with_successes_the_oldest_creation_comes_first(run: Run, store: StoreBackend) -> None:
    states = sorted(FINAL_STATES)
    jobs = [a_job(states[n % 4], created_at=NOW + n * MICROSECOND, finished_at=NOW - n * HOUR) for n in range(10)]
    added(run, store, jobs[::-1])

    assert scanned(run, store, EndedFilter(states=FINAL_STATES)) == jobs


def test_ends_at_the_same_moment_are_each_found_once(run: Run, store: StoreBackend) -> None:
    jobs = [a_job(JobState.FAILED) for _ in range(3 * SMALL_SCAN + 1)]
    added(run, store, jobs)

    assert [job.id for job in scanned(run, store, DEAD)] == sorted(job.id for job in jobs)


def test_a_step_is_bounded_however_few_match(run: Run, store: StoreBackend) -> None:
    jobs = [a_job(JobState.FAILED, finished_at=NOW + n * MICROSECOND) for n in range(SMALL_SCAN + 1)]
    added(run, store, [*jobs[:-1], a_job(JobState.FAILED, finished_at=jobs[-1].finished_at, type="x")])

    first = run(store.ended_jobs.scan(EndedFilter(states=DEAD_STATES, type="x"), after=None))

    assert (list(first.found), first.next) == ([], EndedCursor(at=NOW + 2 * MICROSECOND, job_id=jobs[-2].id))


def test_a_job_is_found_with_its_version(run: Run, store: StoreBackend) -> None:
    added(run, store, [a_job(JobState.FAILED, version=7)])

    assert [found.version for found in run(store.ended_jobs.scan(DEAD, after=None)).found] == [7]


def test_a_job_is_deleted_with_its_labels_history_and_names(run: Run, store: StoreBackend) -> None:
    queued = a_job(idempotency_key="k", labels={"a": "b"})
    added(run, store, [queued])
    running = applied(run, store, queued, queued.start(a_worker_id(), NOW))
    ended = applied(run, store, running, running.succeed(NOW))

    assert run(store.ended_jobs.delete([ended])) == 1

    assert run(store.reader.attempts(queued.id)) is None
    assert list(run(store.repository.find_taken([queued.id], ["k"]))) == []
    assert list(run(store.reader.list_jobs(JobFilter(labels={"a": "b"}), limit=5, after=None)).jobs) == []


def test_jobs_that_stay_keep_their_labels_and_history(run: Run, store: StoreBackend) -> None:
    queued = [a_job(labels={"a": "b"}, max_attempts=1) for _ in range(3)]
    added(run, store, queued)
    started = [applied(run, store, job, job.start(a_worker_id(), NOW)) for job in queued]
    gone, moved, other = (applied(run, store, job, job.fail(a_failure(), NOW, 0.5)) for job in started)
    again = applied(run, store, moved, moved.requeue(NOW + timedelta(seconds=1)))

    assert run(store.ended_jobs.delete([gone, moved])) == 1

    found = run(store.reader.list_jobs(JobFilter(labels={"a": "b"}), limit=5, after=None)).jobs
    assert {job.id for job in found} == {again.id, other.id}
    assert [len(history(run, store, job)) for job in (again, other)] == [1, 1]


def test_a_job_that_has_moved_since_is_not_deleted(run: Run, store: StoreBackend) -> None:
    dead, kept, gone = a_job(JobState.DEADLETTER), a_job(JobState.FAILED), a_job(JobState.FAILED)
    added(run, store, [dead, kept])
    run(store.repository.apply([a_change(dead, dead.requeue(NOW + timedelta(seconds=1)))]))

    assert run(store.ended_jobs.delete([dead, kept, gone])) == 1
    assert run(store.ended_jobs.delete([dead, kept, gone])) == 0

    assert run(store.repository.load([dead.id, kept.id])).keys() == {dead.id}


def test_nothing_to_delete_is_nothing_deleted(run: Run, store: StoreBackend) -> None:
    assert run(store.ended_jobs.delete([])) == 0
