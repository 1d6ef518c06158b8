"""Writes whose reply was lost: nobody knows whether they were stored, and still each is stored once."""

import asyncio
from collections.abc import Callable, Coroutine

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from scheduler.application.deadline import time_limit
from scheduler.application.errors import DuplicateJobsError, StoreUnavailableError
from scheduler.domain.job import Job
from tests.integration.cockroach_tools import added, scalar
from tests.support.builders import (
    NOW,
    SECOND,
    a_change,
    a_failure,
    a_job,
    a_new_job,
    a_worker,
    a_worker_id,
    an_op_id,
)
from tests.support.proxy import FaultProxy
from tests.support.sql import SqlBackend, create_database

pytestmark = pytest.mark.servers

Scenario = Callable[[SqlBackend, FaultProxy], Coroutine[object, object, None]]


@pytest.fixture(scope="module")
def url(postgres_url: str) -> str:
    return create_database(postgres_url)


def play(url: str, scenario: Scenario) -> None:
    async def behind_a_proxy() -> None:
        address = conninfo_to_dict(url)
        async with (
            FaultProxy(str(address["host"]), int(str(address["port"]))) as proxy,
            SqlBackend(make_conninfo("", **{**address, "port": proxy.port})) as backend,
        ):
            await scenario(backend, proxy)

    asyncio.run(behind_a_proxy())


async def a_running_job(backend: SqlBackend) -> Job:
    job = a_job()
    change = a_change(job, job.start(a_worker_id(), NOW))
    await added(backend, job)
    await backend.repository.apply([change])
    return change.stored_job


def test_an_add_whose_reply_was_lost_is_recognised_by_its_op_id(url: str) -> None:
    async def scenario(backend: SqlBackend, proxy: FaultProxy) -> None:
        new = a_new_job(a_job(labels={"team": "mail"}), op_id=an_op_id())
        proxy.lose_reply_to(new.job.id.hex.encode())

        with pytest.raises(DuplicateJobsError):
            await backend.repository.add_all([new, a_new_job()])

        assert proxy.lost_replies == 1
        [taken] = await backend.repository.find_taken([new.job.id], [])
        assert taken.created_op_id == new.job.op_id
        assert scalar(url, "SELECT count(*) FROM jobs WHERE id = %s", new.job.id) == 1
        assert scalar(url, "SELECT count(*) FROM job_labels WHERE job_id = %s", new.job.id) == 1

    play(url, scenario)


def test_a_transition_whose_reply_was_lost_is_reported_as_applied_and_stored_once(url: str) -> None:
    async def scenario(backend: SqlBackend, proxy: FaultProxy) -> None:
        running = await a_running_job(backend)
        failed = running.fail(a_failure(), NOW + SECOND, 0.5)
        proxy.lose_reply_to(running.id.hex.encode())

        assert await backend.repository.apply([a_change(running, failed)]) == {running.id}

        assert proxy.lost_replies == 1
        assert (await backend.repository.load([running.id]))[running.id] == failed
        [attempt] = await backend.reader.attempts(running.id) or ()
        assert attempt.id == running.attempt_id

    play(url, scenario)


def test_a_write_that_fails_for_its_caller_can_be_repeated_much_later(url: str) -> None:
    async def scenario(backend: SqlBackend, proxy: FaultProxy) -> None:
        running = await a_running_job(backend)
        change = a_change(running, running.succeed(NOW + SECOND), result="[1]")
        proxy.drop_replies()
        with time_limit(0.3), pytest.raises(StoreUnavailableError):
            await backend.repository.apply([change])
        proxy.heal()
        proxy.cut()

        assert await backend.repository.apply([change]) == {running.id}

        details = (await backend.repository.load_details([running.id]))[running.id]
        assert (details.job, details.result) == (change.job, "[1]")
        assert len(await backend.reader.attempts(running.id) or ()) == 1

    play(url, scenario)


def test_a_repeated_write_does_not_undo_what_came_after_it(url: str) -> None:
    async def scenario(backend: SqlBackend, proxy: FaultProxy) -> None:
        running = await a_running_job(backend)
        release = a_change(running, running.release(NOW))
        proxy.drop_replies()
        with time_limit(0.3), pytest.raises(StoreUnavailableError):
            await backend.repository.apply([release])
        proxy.heal()
        proxy.cut()
        later = release.stored_job if await backend.repository.apply([release]) else running
        again = later.start(a_worker_id(), NOW)
        assert await backend.repository.apply([a_change(later, again)]) == {running.id}

        assert await backend.repository.apply([release]) == frozenset()

        assert (await backend.repository.load([running.id]))[running.id] == again

    play(url, scenario)


def test_a_batch_that_was_stored_in_part_by_others_is_reported_the_same_when_repeated(url: str) -> None:
    async def scenario(backend: SqlBackend, proxy: FaultProxy) -> None:
        mine, theirs = a_job(), a_job()
        await added(backend, mine, theirs)
        await backend.repository.apply([a_change(theirs, theirs.cancel(NOW))])
        batch = [a_change(job, job.start(a_worker_id(), NOW)) for job in (mine, theirs)]
        proxy.lose_reply_to(mine.id.hex.encode())

        assert await backend.repository.apply(batch) == {mine.id}

        assert proxy.lost_replies == 1

    play(url, scenario)


def test_a_registration_whose_reply_was_lost_is_one_worker(url: str) -> None:
    async def scenario(backend: SqlBackend, proxy: FaultProxy) -> None:
        worker = a_worker()
        proxy.lose_reply_to(b"host-1")
        await backend.registry.register(worker, 10 * SECOND)
        assert proxy.lost_replies == 1
        assert await backend.registry.count_open() == 1
        assert await backend.registry.renew(worker.id, 10 * SECOND)

    play(url, scenario)


def test_a_connection_that_is_reset_under_a_read_is_replaced(url: str) -> None:
    async def scenario(backend: SqlBackend, proxy: FaultProxy) -> None:
        proxy.delay(0.05)
        reads = asyncio.gather(*(backend.store_time.read() for _ in range(5)))
        await asyncio.sleep(0.02)
        proxy.cut()
        proxy.heal()
        await reads

    play(url, scenario)


def test_a_network_that_swallows_everything_ends_with_the_deadline(url: str) -> None:
    async def scenario(backend: SqlBackend, proxy: FaultProxy) -> None:
        proxy.black_hole()
        with time_limit(0.3), pytest.raises(StoreUnavailableError):
            await backend.store_time.read()
        proxy.heal()
        await backend.store_time.read()

    play(url, scenario)


def test_a_network_that_resets_every_connection_is_an_outage(url: str) -> None:
    async def scenario(backend: SqlBackend, proxy: FaultProxy) -> None:
        proxy.refuse()
        with time_limit(60), pytest.raises(StoreUnavailableError):
            await backend.store_time.read()
        proxy.heal()
        await backend.store_time.read()

    play(url, scenario)
