import asyncio
from threading import Thread

from scheduler.adapters.memory.fixed_clock import FixedClock
from scheduler.adapters.memory.job_index import By
from scheduler.adapters.memory.job_reader import MemoryJobReader
from scheduler.adapters.memory.job_repository import MemoryJobRepository
from scheduler.adapters.memory.job_sweeper import MemoryJobSweeper
from scheduler.adapters.memory.store import MemoryStore
from scheduler.application.dto import PurgeRule
from scheduler.domain.priority import Priority
from scheduler.domain.state import FINAL_STATES, JobState
from tests.support.builders import END_OF_TIME, HOUR, NOW, SECOND, a_change, a_job, a_new_job, a_worker, a_worker_id
from tests.support.memory import MemoryStoreBackend

LEASE = 12 * SECOND


def test_counts_are_capped() -> None:
    async def counted() -> tuple[int, ...]:
        store = MemoryStore(FixedClock())
        jobs = [a_job(state) for state in JobState for _ in range(4)]
        await MemoryJobRepository(store).add_all([a_new_job(job) for job in jobs])
        stats = await MemoryJobReader(store, count_cap=3).queue_stats()
        return (
            stats.queues[Priority.DEFAULT].depth,
            stats.running,
            stats.scheduled,
            stats.retrying,
            stats.dead_letters,
        )

    assert asyncio.run(counted()) == (3, 3, 3, 3, 3)


def test_a_purged_store_keeps_nothing() -> None:
    async def purged() -> MemoryStore:
        store = MemoryStore(FixedClock())
        repository = MemoryJobRepository(store)
        queued = [a_job(labels={"n": str(n)}, type=f"t{n}", idempotency_key=f"k{n}") for n in range(20)]
        await repository.add_all([a_new_job(job) for job in queued])
        starts = [a_change(job, job.start(a_worker_id(), NOW)) for job in queued]
        await repository.apply(starts)
        await repository.apply([a_change(start.stored_job, start.job.succeed(NOW)) for start in starts])
        rule = PurgeRule(states=sorted(FINAL_STATES), keep_for=SECOND)
        await MemoryJobSweeper(store).purge(rule, now=NOW + HOUR, limit=1000)
        return store

    async def contents(store: MemoryStore) -> list[object]:
        async with store.statement() as data:
            return [data.jobs, data.keys, data.history, *(data.index.keys(by) for by in By)]

    assert not any(asyncio.run(contents(asyncio.run(purged()))))


def test_leases_are_judged_by_the_stores_clock() -> None:
    clock = FixedClock()
    store = MemoryStoreBackend(clock)
    worker = a_worker()

    async def lease() -> list[object]:
        await store.registry.register(worker, LEASE)
        clock.advance(LEASE / 2)
        renewed = await store.registry.renew(worker.id, LEASE)
        clock.advance(LEASE - SECOND)
        closed_early = await store.registry.close_expired(END_OF_TIME)
        clock.advance(SECOND)
        counted = await store.registry.count_open()
        return [
            renewed,
            closed_early,
            counted,
            await store.registry.close_expired(END_OF_TIME),
            await store.store_time.read(),
        ]

    assert asyncio.run(lease()) == [True, [], 0, [worker.id], clock.now()]


def test_threads_with_loops_of_their_own_share_a_store() -> None:
    store = MemoryStoreBackend(FixedClock())
    jobs = [a_job() for _ in range(50)]
    asyncio.run(store.repository.add_all([a_new_job(job) for job in jobs]))
    won: list[str] = []

    async def cancel_each() -> None:
        for job in jobs:
            won.extend(map(str, await store.repository.apply([a_change(job, job.cancel(NOW))])))

    threads = [Thread(target=asyncio.run, args=(cancel_each(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(won) == sorted(str(job.id) for job in jobs)


def test_a_loop_that_only_calls_the_store_lets_others_run() -> None:
    store = MemoryStoreBackend(FixedClock())

    async def busy() -> bool:
        others_ran = asyncio.Event()
        asyncio.get_running_loop().call_soon(others_ran.set)
        await store.repository.load([])
        return others_ran.is_set()

    assert asyncio.run(busy())
