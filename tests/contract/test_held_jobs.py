"""What workers hold: held_attempts and forget_closed of WorkerRegistry, held_by_* of JobSweeper."""

from collections.abc import Iterable
from datetime import timedelta

from scheduler.domain.job import Job
from scheduler.domain.state import JobState
from tests.contract.steps import added, applied, registered, running, until_closed
from tests.support.backends import Run, StoreBackend, eventually
from tests.support.builders import HOUR, NOW, a_change, a_job, a_worker_id

SHORT = timedelta(milliseconds=50)
NONE = timedelta(0)


def by_id(jobs: Iterable[Job]) -> list[Job]:
    return sorted(jobs, key=lambda job: job.id)


def test_held_attempts_are_those_running_under_the_worker(run: Run, store: StoreBackend) -> None:
    mine, other = registered(run, store), registered(run, store)
    kept, ended = running(run, store, mine, 2)
    running(run, store, other)
    run(store.repository.apply([a_change(ended, ended.succeed(NOW))]))

    assert run(store.registry.held_attempts(mine)) == {kept.attempt_id}
    assert run(store.registry.held_attempts(a_worker_id())) == frozenset()


def test_held_attempts_name_the_attempt_and_not_only_the_job(run: Run, store: StoreBackend) -> None:
    worker_id = registered(run, store)
    (first,) = running(run, store, worker_id)
    lost = applied(run, store, first, first.lose(NOW))
    second = applied(run, store, lost, lost.start(worker_id, NOW))

    assert run(store.registry.held_attempts(worker_id)) == {second.attempt_id}
    assert second.attempt_id != first.attempt_id


def test_jobs_of_workers_closed_lately_are_found(run: Run, store: StoreBackend) -> None:
    closed, expired = registered(run, store), registered(run, store, SHORT)
    living, absent = registered(run, store), a_worker_id()
    held = running(run, store, closed, 2) + running(run, store, expired)
    running(run, store, living)
    running(run, store, absent)
    run(store.registry.close(closed))
    until_closed(run, store, [expired])

    found = run(store.sweeper.held_by_closed_workers(HOUR, 100))

    assert by_id(found) == by_id(held)
    assert len(run(store.sweeper.held_by_closed_workers(HOUR, 2))) == 2
    run(store.repository.apply([a_change(job, job.lose(NOW)) for job in held]))
    assert list(run(store.sweeper.held_by_closed_workers(HOUR, 100))) == []


def test_jobs_of_workers_closed_before_that_are_not_found(run: Run, store: StoreBackend) -> None:
    worker_id = registered(run, store)
    running(run, store, worker_id)
    run(store.registry.close(worker_id))

    async def long_ago() -> bool:
        return not await store.sweeper.held_by_closed_workers(SHORT, 100)

    run(eventually(long_ago, "the closing is longer ago than 50 ms"))
    assert len(run(store.sweeper.held_by_closed_workers(HOUR, 100))) == 1


def test_closing_twice_keeps_the_first_time(run: Run, store: StoreBackend) -> None:
    worker_id = registered(run, store)
    running(run, store, worker_id)
    run(store.registry.close(worker_id))

    async def long_ago() -> bool:
        await store.registry.close(worker_id)
        return not await store.sweeper.held_by_closed_workers(SHORT, 100)

    run(eventually(long_ago, "the first closing is longer ago than 50 ms"))


def test_jobs_of_absent_and_closed_workers_are_found_however_old(run: Run, store: StoreBackend) -> None:
    living, closed, absent = registered(run, store), registered(run, store), a_worker_id()
    running(run, store, living)
    orphans = running(run, store, closed) + running(run, store, absent, 2)
    run(store.registry.close(closed))

    added(run, store, [a_job(state) for state in JobState if state is not JobState.RUNNING])

    assert by_id(run(store.sweeper.held_by_absent_workers(100))) == by_id(orphans)
    assert len(run(store.sweeper.held_by_absent_workers(2))) == 2


def test_only_workers_closed_long_enough_ago_and_holding_nothing_are_forgotten(run: Run, store: StoreBackend) -> None:
    holding, idle, living = (registered(run, store) for _ in range(3))
    (job,) = running(run, store, holding)
    run(store.registry.close(holding))
    run(store.registry.close(idle))
    assert run(store.registry.forget_closed(HOUR)) == 0

    async def one_forgotten() -> bool:
        return await store.registry.forget_closed(NONE) == 1

    run(eventually(one_forgotten, "the closing is in the past"))
    assert len(run(store.sweeper.held_by_closed_workers(HOUR, 100))) == 1
    run(store.repository.apply([a_change(job, job.lose(NOW))]))

    assert run(store.registry.forget_closed(NONE)) == 1
    assert run(store.registry.forget_closed(NONE)) == 0
    assert run(store.registry.renew(living, HOUR)) is True


def test_a_worker_counts_as_expired_until_it_is_closed_and_its_jobs_are_recovered(
    run: Run, store: StoreBackend
) -> None:
    expired, idle, living = registered(run, store, SHORT), registered(run, store), registered(run, store)
    (job,) = running(run, store, expired)
    running(run, store, living)
    run(store.registry.close(idle))

    async def one_counted() -> bool:
        return await store.registry.count_expired() == 1

    run(eventually(one_counted, "the lease expires"))
    until_closed(run, store, [expired])
    assert run(store.registry.count_expired()) == 1
    run(store.repository.apply([a_change(job, job.lose(NOW))]))

    assert run(store.registry.count_expired()) == 0
