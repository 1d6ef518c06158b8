import asyncio
from datetime import timedelta
from threading import Thread

import pytest

from scheduler.adapters.cockroach import ConnectionPool, SqlWorkerRegistry, Transactions
from scheduler.application.dto import WorkerInfo
from tests.integration.cockroach_tools import added
from tests.support.builders import a_change, a_job, a_worker
from tests.support.sql import SqlBackend, create_database

pytestmark = pytest.mark.servers

LEASE = timedelta(seconds=30)
RENEWALS = 20


async def renew_on_one_connection(backend: SqlBackend, worker: WorkerInfo) -> list[bool]:
    settings = SqlBackend(backend.url, max_connections=1).settings
    pool = ConnectionPool(settings, backend.statements)
    registry = SqlWorkerRegistry(Transactions(pool, backend.statements))
    await pool.open()
    try:
        renewed = [await registry.renew(worker.id, LEASE) for _ in range(RENEWALS)]
        held = await registry.held_attempts(worker.id)
        return [*renewed, len(held) == 1]
    finally:
        await pool.close()


def test_a_thread_renews_a_lease_on_its_own_loop_and_connection_while_the_main_loop_is_blocked(
    postgres_url: str,
) -> None:
    answers: list[bool] = []

    async def scenario() -> None:
        async with SqlBackend(create_database(postgres_url)) as backend:
            worker = a_worker()
            await backend.registry.register(worker, LEASE)
            job = a_job()
            await added(backend, job)
            running = job.start(worker.id, job.created_at)
            await backend.repository.apply([a_change(job, running)])
            thread = Thread(target=lambda: answers.extend(asyncio.run(renew_on_one_connection(backend, worker))))
            thread.start()
            thread.join()  # blocks this loop, as a handler may
            await backend.registry.close(worker.id)

    asyncio.run(scenario())
    assert answers == [True] * (RENEWALS + 1)
