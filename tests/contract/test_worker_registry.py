"""WorkerRegistry: leases. StoreTime."""

import asyncio
from datetime import UTC, datetime, timedelta

from scheduler.domain.ids import WorkerId
from tests.contract.steps import registered, until_closed
from tests.support.backends import Run, StoreBackend, eventually
from tests.support.builders import END_OF_TIME, HOUR, a_worker, a_worker_id

SHORT = timedelta(milliseconds=50)


def test_a_registered_worker_is_open_and_can_renew(run: Run, store: StoreBackend) -> None:
    worker_id = registered(run, store)

    assert run(store.registry.count_open()) == 1
    assert run(store.registry.renew(worker_id, HOUR)) is True
    assert list(run(store.registry.close_expired(END_OF_TIME))) == []


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
    assert list(run(store.registry.close_expired(END_OF_TIME))) == []


def test_every_expired_worker_is_closed_once(run: Run, store: StoreBackend) -> None:
    expiring = [registered(run, store, SHORT) for _ in range(5)]
    registered(run, store, HOUR)

    until_closed(run, store, expiring)

    assert list(run(store.registry.close_expired(END_OF_TIME))) == []
    assert [run(store.registry.renew(worker_id, HOUR)) for worker_id in expiring] == [False] * 5
    assert run(store.registry.count_open()) == 1


def test_a_worker_that_expired_after_the_clock_was_read_is_not_closed(run: Run, store: StoreBackend) -> None:
    read = run(store.store_time.read())
    worker_id = registered(run, store, SHORT)

    async def expired() -> bool:
        return await store.registry.count_open() == 0

    run(eventually(expired, "the lease expires"))

    assert list(run(store.registry.close_expired(read))) == []
    assert list(run(store.registry.close_expired(run(store.store_time.read())))) == [worker_id]


def test_two_reapers_never_close_the_same_worker(run: Run, store: StoreBackend) -> None:
    expiring = [registered(run, store, SHORT) for _ in range(10)]
    closed = list[WorkerId]()

    async def race() -> bool:
        for each in await asyncio.gather(*(store.registry.close_expired(END_OF_TIME) for _ in range(4))):
            closed.extend(each)
        return len(closed) >= len(expiring)

    run(eventually(race, "the leases expire"))

    assert sorted(closed) == sorted(expiring)


def test_the_stores_time_moves_on_and_is_utc(run: Run, store: StoreBackend) -> None:
    first = run(store.store_time.read())

    async def later() -> bool:
        return await store.store_time.read() > first

    run(eventually(later, "the store's time moves"))
    assert first.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - first) < timedelta(minutes=5)
