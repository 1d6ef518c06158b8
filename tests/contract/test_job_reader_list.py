"""JobReader: list_jobs."""

from datetime import timedelta, timezone
from uuid import UUID

import pytest

from scheduler.application.dto import JobFilter, ListCursor
from scheduler.domain.ids import JobId
from scheduler.domain.job import Job
from scheduler.domain.priority import Priority
from scheduler.domain.state import DEAD_STATES, JobState
from tests.support.backends import Run, StoreBackend
from tests.support.builders import MICROSECOND, NOW, a_change, a_job, a_job_id, a_new_job


def added(run: Run, store: StoreBackend, jobs: list[Job]) -> list[Job]:
    """Store the jobs; return them in the order in which they are to be listed."""
    run(store.repository.add_all([a_new_job(job, '"payload"') for job in jobs]))
    return sorted(jobs, key=lambda job: (job.created_at, job.id), reverse=True)


def listed(run: Run, store: StoreBackend, job_filter: JobFilter | None = None, page_size: int = 1000) -> list[Job]:
    """Walk through all pages."""
    jobs: list[Job] = []
    after: ListCursor | None = None
    while True:
        page = run(store.reader.list_jobs(job_filter or JobFilter(), limit=page_size, after=after))
        assert len(page.jobs) <= page_size
        jobs += page.jobs
        if page.next is None:
            return jobs
        assert len(page.jobs) == page_size
        after = page.next


def test_an_empty_store_lists_nothing(run: Run, store: StoreBackend) -> None:
    page = run(store.reader.list_jobs(JobFilter(), limit=10, after=None))

    assert (list(page.jobs), page.next) == ([], None)


def test_jobs_come_newest_first_and_whole(run: Run, store: StoreBackend) -> None:
    every_state = [a_job(state, created_at=NOW + n * MICROSECOND) for n, state in enumerate(JobState)]
    in_order = added(run, store, every_state)

    assert listed(run, store) == in_order


@pytest.mark.parametrize("page_size", [1, 2, 3, 7, 8])
def test_pages_hold_each_job_once_also_with_equal_times(run: Run, store: StoreBackend, page_size: int) -> None:
    times = [NOW, NOW, NOW, NOW + MICROSECOND, NOW + MICROSECOND, NOW - MICROSECOND, NOW]
    in_order = added(run, store, [a_job(created_at=at) for at in times])

    assert listed(run, store, page_size=page_size) == in_order


def test_ids_order_as_bytes_from_the_lowest_to_the_highest(run: Run, store: StoreBackend) -> None:
    ids = [a_job_id() for _ in range(20)] + [JobId(UUID(int=n)) for n in (0, 1, 2**127, 2**128 - 1)]
    in_order = added(run, store, [a_job(id=job_id) for job_id in ids])

    assert listed(run, store, page_size=5) == in_order


def test_the_page_that_takes_the_last_job_has_no_next(run: Run, store: StoreBackend) -> None:
    in_order = added(run, store, [a_job() for _ in range(4)])

    page = run(store.reader.list_jobs(JobFilter(), limit=2, after=None))
    assert page.next == ListCursor(created_at=in_order[1].created_at, job_id=in_order[1].id)

    assert run(store.reader.list_jobs(JobFilter(), limit=2, after=page.next)).next is None


def test_jobs_added_and_purged_between_pages_move_no_other_job(run: Run, store: StoreBackend) -> None:
    in_order = added(run, store, [a_job(created_at=NOW + n * MICROSECOND) for n in range(6)])
    first = run(store.reader.list_jobs(JobFilter(), limit=3, after=None))
    added(run, store, [a_job(created_at=NOW + timedelta(hours=1))])

    second = run(store.reader.list_jobs(JobFilter(), limit=3, after=first.next))

    assert [*first.jobs, *second.jobs] == in_order


def test_a_cursor_need_not_name_a_stored_job(run: Run, store: StoreBackend) -> None:
    in_order = added(run, store, [a_job(created_at=NOW + 2 * n * MICROSECOND) for n in range(4)])

    page = run(
        store.reader.list_jobs(
            JobFilter(), limit=10, after=ListCursor(created_at=NOW + 3 * MICROSECOND, job_id=a_job_id())
        )
    )

    assert list(page.jobs) == in_order[2:]


def a_mixed_store(run: Run, store: StoreBackend) -> list[Job]:
    jobs = []
    for n in range(32):
        labels = {"team": f"t{n % 2}", "zone": f"z{n % 3}"} if n % 4 else {}
        jobs.append(
            a_job(
                (JobState.QUEUED, JobState.SUCCEEDED, JobState.DEADLETTER)[n % 3],
                priority=list(Priority)[n % 4],
                type=f"type{n % 5}",
                labels=labels,
                error_fingerprint="1" * 16 if n % 2 else "",
                created_at=NOW + (n // 2) * MICROSECOND,
            )
        )
    return added(run, store, jobs)


FILTERS = {
    "kind of error": JobFilter(error_fingerprint="1" * 16),
    "kind of error and state": JobFilter(error_fingerprint="1" * 16, state=JobState.QUEUED),
    "kind of error and label": JobFilter(error_fingerprint="1" * 16, labels={"team": "t1"}),
    "unknown kind of error": JobFilter(error_fingerprint=""),
    "state": JobFilter(state=JobState.SUCCEEDED),
    "state without jobs": JobFilter(state=JobState.RETRYING),
    "priority": JobFilter(priority=Priority.LOW),
    "type": JobFilter(type="type3"),
    "type as a whole": JobFilter(type="type"),
    "label": JobFilter(labels={"team": "t1"}),
    "labels": JobFilter(labels={"team": "t1", "zone": "z2"}),
    "a value of another label": JobFilter(labels={"team": "z1"}),
    "created_after": JobFilter(created_after=NOW + 3 * MICROSECOND),
    "created_before": JobFilter(created_before=NOW + 3 * MICROSECOND),
    "range": JobFilter(created_after=NOW + 3 * MICROSECOND, created_before=NOW + 9 * MICROSECOND),
    "empty range": JobFilter(created_after=NOW + 3 * MICROSECOND, created_before=NOW + 3 * MICROSECOND),
    "state and priority": JobFilter(state=JobState.QUEUED, priority=Priority.CRITICAL),
    "state and type": JobFilter(state=JobState.QUEUED, type="type0"),
    "priority and type": JobFilter(priority=Priority.HIGH, type="type1"),
    "state and label": JobFilter(state=JobState.QUEUED, labels={"team": "t1"}),
    "label and range": JobFilter(labels={"zone": "z1"}, created_after=NOW + 2 * MICROSECOND),
    "all": JobFilter(
        state=JobState.DEADLETTER,
        priority=Priority.HIGH,
        type="type0",
        labels={"team": "t1", "zone": "z2"},
        created_after=NOW,
        created_before=NOW + 10 * MICROSECOND,
    ),
}

MATCH_NOTHING = {
    "kind of error and state",
    "state without jobs",
    "type as a whole",
    "a value of another label",
    "empty range",
}


def fits(job: Job, job_filter: JobFilter) -> bool:
    return (
        (job_filter.state is None or job.state is job_filter.state)
        and (job_filter.priority is None or job.priority is job_filter.priority)
        and (job_filter.type is None or job.type == job_filter.type)
        and all(job.labels.get(key) == value for key, value in job_filter.labels.items())
        and job_filter.error_fingerprint in {None, job.error_fingerprint if job.state in DEAD_STATES else None}
        and (job_filter.created_after is None or job_filter.created_after <= job.created_at)
        and (job_filter.created_before is None or job.created_at < job_filter.created_before)
    )


@pytest.mark.parametrize("name", FILTERS)
def test_every_field_of_a_filter_must_match(run: Run, store: StoreBackend, name: str) -> None:
    expected = [job for job in a_mixed_store(run, store) if fits(job, FILTERS[name])]

    assert listed(run, store, FILTERS[name]) == expected
    assert listed(run, store, FILTERS[name], page_size=2) == expected
    assert bool(expected) != (name in MATCH_NOTHING)


def test_a_job_whose_labels_share_a_value_is_listed_once(run: Run, store: StoreBackend) -> None:
    job = a_job(labels={"a": "x", "b": "x"})
    added(run, store, [job])

    assert [
        found.id for found in run(store.reader.list_jobs(JobFilter(labels={"a": "x"}), limit=5, after=None)).jobs
    ] == [job.id]


def test_a_filter_follows_the_state(run: Run, store: StoreBackend) -> None:
    (job,) = added(run, store, [a_job(labels={"a": "b"})])
    cancelled = job.cancel(NOW)
    run(store.repository.apply([a_change(job, cancelled)]))

    assert listed(run, store, JobFilter(state=JobState.QUEUED)) == []
    assert listed(run, store, JobFilter(state=JobState.CANCELLED)) == [cancelled]
    assert listed(run, store, JobFilter(labels={"a": "b"})) == [cancelled]


def test_a_cursor_and_an_upper_bound_both_hold(run: Run, store: StoreBackend) -> None:
    in_order = added(run, store, [a_job(created_at=NOW + n * MICROSECOND) for n in range(6)])
    bound = JobFilter(created_before=NOW + 4 * MICROSECOND)

    newer = ListCursor(created_at=NOW + 5 * MICROSECOND, job_id=in_order[0].id)
    assert list(run(store.reader.list_jobs(bound, limit=10, after=newer)).jobs) == in_order[2:]

    older = ListCursor(created_at=NOW + 2 * MICROSECOND, job_id=in_order[3].id)
    assert list(run(store.reader.list_jobs(bound, limit=10, after=older)).jobs) == in_order[4:]


def test_times_of_other_zones_mean_the_same_moment(run: Run, store: StoreBackend) -> None:
    in_order = added(run, store, [a_job(created_at=NOW + n * MICROSECOND) for n in range(3)])
    from_elsewhere = (NOW + MICROSECOND).astimezone(timezone(timedelta(hours=-7)))

    found = listed(run, store, JobFilter(created_after=from_elsewhere))

    assert found == in_order[:2]
