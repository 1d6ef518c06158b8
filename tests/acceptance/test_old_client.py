"""Programs written for the original service work unchanged, from end to end."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import uuid4

import grpc.aio
import pytest

from scheduler.entrypoints.stack import Stack
from tests.acceptance.processes import keep_running
from tests.support.original_client import OriginalClient

pytestmark = pytest.mark.servers
JOB = {"type": "noop", "priority": "PRIORITY_HIGH"}


@pytest.fixture
def run(stack: Stack) -> Callable[[Callable[[OriginalClient], Awaitable[None]]], None]:
    """Run a scenario with the original's client."""
    keep_running(stack.worker)

    def start(scenario: Callable[[OriginalClient], Awaitable[None]]) -> None:
        async def connected() -> None:
            async with grpc.aio.insecure_channel(stack.address) as channel, asyncio.timeout(60):
                await scenario(OriginalClient(channel))

        asyncio.run(connected())

    return start


Run = Callable[[Callable[[OriginalClient], Awaitable[None]]], None]


def test_an_old_client_submits_a_job_watches_it_to_its_end_and_reads_it(run: Run) -> None:
    async def scenario(client: OriginalClient) -> None:
        job_id = await client.submit_job(**JOB, payload_json='{"sleep_seconds": 0.2}', max_attempts=2)
        events = [event async for event in client.watch_job(job_id)]
        status = await client.get_job(job_id)

        assert {event["job_id"] for event in events} == {job_id}
        assert events[-1]["state"] == "JOB_STATE_SUCCEEDED"
        assert events[-1]["message"]
        assert (status["state"], status["attempts"], status["last_error"]) == ("JOB_STATE_SUCCEEDED", 1, "")
        assert str(status["created_at"]) <= str(status["started_at"]) <= str(status["finished_at"])

    run(scenario)


def test_an_old_client_sees_why_a_job_failed(run: Run) -> None:
    async def scenario(client: OriginalClient) -> None:
        job_id = await client.submit_job(**JOB, payload_json='{"fail_attempts": 9}', max_attempts=1)
        events = [event async for event in client.watch_job(job_id)]
        status = await client.get_job(job_id)

        assert events[-1]["state"] == "JOB_STATE_DEADLETTER"
        assert "failed attempt 1" in str(status["last_error"])

    run(scenario)


def test_an_old_client_repeats_a_submission_under_its_key(run: Run) -> None:
    async def scenario(client: OriginalClient) -> None:
        key = str(uuid4())
        first = await client.submit_job(**JOB, idempotency_key=key)
        second = await client.submit_job(**JOB, idempotency_key=key)

        assert first == second

    run(scenario)


def test_an_old_client_cancels_a_running_job(run: Run) -> None:
    async def scenario(client: OriginalClient) -> None:
        job_id = await client.submit_job(**JOB, payload_json='{"sleep_seconds": 600}')
        async for event in client.watch_job(job_id):
            if event["state"] == "JOB_STATE_RUNNING":
                assert await client.cancel_job(job_id)

        # A state that the original does not know is a number to its client, and the watch has ended.
        assert (await client.get_job(job_id))["state"] == 6
        assert await client.cancel_job(job_id)

    run(scenario)


def test_an_old_client_lists_jobs_page_by_page(run: Run) -> None:
    async def scenario(client: OriginalClient) -> None:
        job_type = f"unheard-of-{uuid4()}"
        ids = [await client.submit_job(type=job_type, priority="PRIORITY_LOW") for _ in range(5)]
        try:
            assert await _pages(client, job_type) == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]]]
        finally:
            for job_id in ids:
                await client.cancel_job(job_id)

    run(scenario)


async def _pages(client: OriginalClient, job_type: str) -> list[list[object]]:
    filters = {"type_filter": job_type, "priority_filter": "PRIORITY_LOW", "page_size": 2}
    pages, token = [], ""
    while True:
        page = await client.list_jobs(**filters, page_token=token)
        jobs = page["jobs"]
        assert isinstance(jobs, list)
        pages.append([job["job_id"] for job in jobs])
        token = str(page["next_page_token"])
        if not token:
            return pages
