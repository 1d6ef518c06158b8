"""WorkerRegistry, the sweeps over the jobs of dead workers, and StoreTime."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from scheduler.domain.ids import WorkerId
from scheduler.domain.job import Job
from tests.support.backends import Run, StoreBackend, eventually
from tests.support.builders import HOUR, NOW, a_change, a_job, a_new_job, a_worker, a_worker_id

SHORT = timedelta(milliseconds=50)
NONE = timedelta(0)


def registered(run: Run, store: StoreBackend, lease: timedelta = HOUR) -> WorkerId:
    worker = a_worker()
    run(store.registry.register(worker, lease))
    return worker.id


def running(run: Run, store: StoreBackend, worker_id: WorkerId, count: int = 1) -> list[Job]:
    queued = [a_job() for _ in range(count)]
    run(store.repository.add_all([a_new_job(job) for job in queued]))
    started = [job.start(worker_id, NOW) for job in queued]
    run(store.repository.apply([a_change(job, after) for job, after in zip(queued, started, strict=True)]))
    return started


def until_closed(run: Run, store: StoreBackend, expected: Iterable[WorkerId]) -> None:
    """Close expired workers until exactly these were closed."""
    closed: list[WorkerId] = []

    async def all_closed() -> bool:
        closed.extend(await store.registry.close_expired())
        return len(closed) >= len(set(expected))

    run(eventually(all_closed, "the leases expire"))
    assert sorted(closed) == sorted(expected)


def by_id(jobs: Iterable[Job]) -> list[Job]:
    return sorted(jobs, key=lambda job: job.id)


def test_a_registered_worker_is_open_and_can_renew(run: Run, store: StoreBackend) -> None:
    worker_id = registered(run, store)

    assert run(store.registry.count_open()) == 1
    assert run(store.registry.renew(worker_id, HOUR)) is True
    assert list(run(store.registry.close_expired())) == []


def test_an_unknown_worker_cannot_renew(run: Run, store: StoreBackend) -> None:
    registered(run, store)

    assert run(store.registry.renew(a_worker_id(), HOUR)) is False
    assert run(store.registry.count_open()) == 1


def test_a_closed_worker_cannot_renew_and_is_not_counted(run: Run, store: StoreBackend) -> None:
    worker_id, other = registered(run, store), registered(run, store)

    run(store.registry.close(worker_id))

    assert run(store.registry.renew(worker_id, HOUR)) is False
    assert run(store.registry.renew(other, HOUR)) is True
    assert run(store.registry.count_open()) == 1


def test_closing_an_unknown_worker_is_harmless(run: Run, store: StoreBackend) -> None:
    run(store.registry.close(a_worker_id()))

    assert run(store.registry.count_open()) == 0


def test_a_repeated_registration_renews_the_lease(run: Run, store: StoreBackend) -> None:
    worker = a_worker()
    run(store.registry.register(worker, SHORT))
    run(store.registry.register(worker, HOUR))
    witness = registered(run, store, SHORT)

    until_closed(run, store, [witness])

    assert run(store.registry.count_open()) == 1
    assert run(store.registry.renew(worker.id, HOUR)) is True


def test_a_registration_repeated_late_does_not_open_a_closed_worker(run: Run, store: StoreBackend) -> None:
    worker = a_worker()
    run(store.registry.register(worker, HOUR))
    run(store.registry.close(worker.id))

    run(store.registry.register(worker, HOUR))

    assert run(store.registry.renew(worker.id, HOUR)) is False
    assert run(store.registry.count_open()) == 0


def test_a_renewal_extends_the_lease_from_now(run: Run, store: StoreBackend) -> None:
    renewed, shortened = registered(run, store, SHORT), registered(run, store, HOUR)

    assert run(store.registry.renew(renewed, HOUR)) is True
    assert run(store.registry.renew(shortened, SHORT)) is True

    until_closed(run, store, [shortened])
    assert run(store.registry.renew(renewed, HOUR)) is True


def test_an_expired_worker_is_not_counted_even_before_it_is_closed(run: Run, store: StoreBackend) -> None:
    registered(run, store, SHORT)
    registered(run, store, HOUR)

    async def expired() -> bool:
        return await store.registry.count_open() == 1

    run(eventually(expired, "the lease expires"))


def test_an_expired_worker_that_nobody_closed_may_still_renew(run: Run, store: StoreBackend) -> None:
    worker_id = registered(run, store, SHORT)

    async def expired() -> bool:
        return await store.registry.count_open() == 0

    run(eventually(expired, "the lease expires"))

    assert run(store.registry.renew(worker_id, HOUR)) is True
    assert list(run(store.registry.close_expired())) == []


def test_every_expired_worker_is_closed_once(run: Run, store: StoreBackend) -> None:
    expiring = [registered(run, store, SHORT) for _ in range(5)]
    registered(run, store, HOUR)

    until_closed(run, store, expiring)

    assert list(run(store.registry.close_expired())) == []
    assert [run(store.registry.renew(worker_id, HOUR)) for worker_id in expiring] == [False] * 5
    assert run(store.registry.count_open()) == 1


def test_two_reapers_never_close_the_same_worker(run: Run, store: StoreBackend) -> None:
    expiring = [registered(run, store, SHORT) for _ in range(10)]
    closed: list[WorkerId] = []

    async def race() -> bool:
        for each in await asyncio.gather(*(store.registry.close_expired() for _ in range(4))):
            closed.extend(each)
        return len(closed) >= len(expiring)

    run(eventually(race, "the leases expire"))

    assert sorted(closed) == sorted(expiring)


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
    lost = first.lose(NOW)
    second = lost.start(worker_id, NOW)
    run(store.repository.apply([a_change(first, lost)]))
    run(store.repository.apply([a_change(lost, second)]))

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


def test_the_stores_time_moves_on_and_is_utc(run: Run, store: StoreBackend) -> None:
    first = run(store.store_time.read())

    async def later() -> bool:
        return await store.store_time.read() > first

    run(eventually(later, "the store's time moves"))
    assert first.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - first) < timedelta(minutes=5)
