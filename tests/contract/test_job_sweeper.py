"""JobSweeper: due, claimable, queued_page."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest

from scheduler.application.dto import QueueEntry, SweepCursor
from scheduler.domain.job import Job
from scheduler.domain.priority import ClaimPlan, Priority, StrictOrder, WeightedOrder
from scheduler.domain.state import WAITING_STATES, JobState
from tests.support.backends import Run, StoreBackend
from tests.support.builders import MICROSECOND, NOW, a_change, a_job, a_new_job, a_worker_id, an_entry

TYPES = [a_job().type]


def added(run: Run, store: StoreBackend, jobs: Sequence[Job]) -> Sequence[Job]:
    run(store.repository.add_all([a_new_job(job) for job in jobs]))
    return jobs


def in_order(jobs: Sequence[Job]) -> list[QueueEntry]:
    return sorted(map(an_entry, jobs), key=lambda entry: (entry.queued_at, entry.job_id))


def test_due_returns_waiting_jobs_whose_time_has_come_the_longest_due_first(run: Run, store: StoreBackend) -> None:
    jobs = [
        a_job(state, run_at=NOW + n * MICROSECOND)
        for n, state in zip((2, -1, 0, 1, -2, 3), sorted(WAITING_STATES) * 3, strict=True)
    ]
    added(run, store, jobs)

    due = run(store.sweeper.due(NOW + MICROSECOND, 10))

    expected = [job for job in sorted(jobs, key=lambda job: job.run_at) if job.run_at <= NOW + MICROSECOND]
    assert list(due) == expected
    assert list(run(store.sweeper.due(NOW + MICROSECOND, 3))) == expected[:3]
    assert list(run(store.sweeper.due(NOW - timedelta(days=1), 3))) == []


def test_due_ignores_every_other_state(run: Run, store: StoreBackend) -> None:
    added(run, store, [a_job(state) for state in JobState if state not in WAITING_STATES])

    assert list(run(store.sweeper.due(NOW + timedelta(days=9), 100))) == []


def test_a_job_made_due_is_due_no_longer(run: Run, store: StoreBackend) -> None:
    (job,) = added(run, store, [a_job(JobState.RETRYING, run_at=NOW)])

    run(store.repository.apply([a_change(job, job.make_due(NOW))]))

    assert list(run(store.sweeper.due(NOW, 10))) == []


def test_due_takes_the_earliest_of_many_whatever_their_ids(run: Run, store: StoreBackend) -> None:
    jobs = [a_job(JobState.SCHEDULED, run_at=NOW + n * MICROSECOND) for n in range(60)]
    added(run, store, jobs)

    assert list(run(store.sweeper.due(NOW + timedelta(days=1), 20))) == jobs[:20]


def queued_jobs(run: Run, store: StoreBackend, counts: Mapping[Priority, int]) -> dict[Priority, list[QueueEntry]]:
    """Store queued jobs, and one in each other state; return the queues as they should be found."""
    jobs = {
        priority: [a_job(priority=priority, queued_at=NOW + n // 2 * MICROSECOND) for n in range(count)]
        for priority, count in counts.items()
    }
    added(run, store, [job for each in jobs.values() for job in reversed(each)])
    added(run, store, [a_job(state, priority=Priority.CRITICAL) for state in JobState if state != JobState.QUEUED])
    return {priority: in_order(jobs.get(priority, [])) for priority in Priority}


def test_a_strict_claim_finds_the_most_urgent_oldest_first(run: Run, store: StoreBackend) -> None:
    queues = queued_jobs(run, store, {Priority.LOW: 4, Priority.HIGH: 3, Priority.DEFAULT: 5})
    everything = [entry for priority in Priority for entry in queues[priority]]

    for limit in (1, 3, 7, 12, 50):
        assert list(run(store.sweeper.claimable(StrictOrder().plan(limit, 0), types=TYPES))) == everything[:limit]


def test_a_claim_walks_the_quotas_and_stops_at_its_limit(run: Run, store: StoreBackend) -> None:
    queues = queued_jobs(run, store, {Priority.CRITICAL: 9, Priority.DEFAULT: 9, Priority.LOW: 9})
    plan = ClaimPlan(limit=6, quotas=[(Priority.LOW, 2), (Priority.DEFAULT, 3), (Priority.LOW, 5)])

    found = run(store.sweeper.claimable(plan, types=TYPES))

    assert list(found) == queues[Priority.DEFAULT][:3] + queues[Priority.LOW][:3]


@pytest.mark.parametrize("turn", range(15))
def test_a_weighted_claim_gives_unused_shares_to_others(run: Run, store: StoreBackend, turn: int) -> None:
    queues = queued_jobs(run, store, {Priority.HIGH: 2, Priority.LOW: 20})

    found = run(store.sweeper.claimable(WeightedOrder().plan(12, turn), types=TYPES))

    assert list(found) == queues[Priority.HIGH] + queues[Priority.LOW][:10]


def test_a_claim_of_an_empty_store_or_of_nothing_finds_nothing(run: Run, store: StoreBackend) -> None:
    assert list(run(store.sweeper.claimable(StrictOrder().plan(10, 0), types=TYPES))) == []
    queued_jobs(run, store, {Priority.HIGH: 2})
    assert list(run(store.sweeper.claimable(StrictOrder().plan(0, 0), types=TYPES))) == []


def test_claimable_takes_nothing(run: Run, store: StoreBackend) -> None:
    queues = queued_jobs(run, store, {Priority.HIGH: 2})

    for _ in range(2):
        assert list(run(store.sweeper.claimable(StrictOrder().plan(5, 0), types=TYPES))) == queues[Priority.HIGH]


def test_a_started_job_is_claimable_no_longer(run: Run, store: StoreBackend) -> None:
    (job,) = added(run, store, [a_job()])

    run(store.repository.apply([a_change(job, job.start(a_worker_id(), NOW))]))

    assert list(run(store.sweeper.claimable(StrictOrder().plan(5, 0), types=TYPES))) == []


def test_a_claim_passes_over_other_types_and_what_it_is_to_exclude(run: Run, store: StoreBackend) -> None:
    jobs = [a_job(type=f"type-{n % 3}", queued_at=NOW + n * MICROSECOND) for n in range(30)]
    added(run, store, jobs)
    plan = StrictOrder().plan(5, 0)

    found = run(store.sweeper.claimable(plan, types=["type-1", "type-2", "other"], excluding=[jobs[1].id, jobs[5].id]))

    assert list(found) == in_order([jobs[n] for n in (2, 4, 7, 8, 10)])
    assert list(run(store.sweeper.claimable(plan, types=[]))) == []


def per_priority(entries: Sequence[QueueEntry]) -> dict[Priority, list[QueueEntry]]:
    return {priority: [each for each in entries if each.priority is priority] for priority in Priority}


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_from_cursor_to_cursor_see_each_queued_job_once(run: Run, store: StoreBackend, limit: int) -> None:
    queues = queued_jobs(run, store, {Priority.CRITICAL: 5, Priority.DEFAULT: 1, Priority.LOW: 8})
    seen: dict[Priority, list[QueueEntry]] = {priority: [] for priority in Priority}
    after: dict[Priority, SweepCursor] = {}

    while True:
        found = run(store.sweeper.queued_page(after, queued_before=NOW + timedelta(days=1), limit=limit))
        if not found:
            break
        for priority, entries in per_priority(found).items():
            assert len(entries) <= limit
            seen[priority] += entries
            if entries:
                after[priority] = SweepCursor(queued_at=entries[-1].queued_at, job_id=entries[-1].job_id)

    assert seen == queues
    again = run(store.sweeper.queued_page({}, queued_before=NOW + timedelta(days=1), limit=100))
    assert per_priority(again) == queues


def test_a_page_leaves_out_what_was_queued_just_now(run: Run, store: StoreBackend) -> None:
    queues = queued_jobs(run, store, {Priority.HIGH: 8})

    found = run(store.sweeper.queued_page({}, queued_before=NOW + 2 * MICROSECOND, limit=100))

    assert list(found) == queues[Priority.HIGH][:4]


def test_each_priority_has_its_own_cursor(run: Run, store: StoreBackend) -> None:
    queues = queued_jobs(run, store, {Priority.HIGH: 4, Priority.LOW: 4})
    third = queues[Priority.LOW][2]

    found = run(
        store.sweeper.queued_page(
            {Priority.LOW: SweepCursor(queued_at=third.queued_at, job_id=third.job_id)},
            queued_before=NOW + timedelta(days=1),
            limit=3,
        )
    )

    assert per_priority(found)[Priority.HIGH] == queues[Priority.HIGH][:3]
    assert per_priority(found)[Priority.LOW] == queues[Priority.LOW][3:]
