"""Progress between real processes on real servers: seen at once, written seldom."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import psycopg
import pytest

from scheduler.adapters.grpc.client import SchedulerClient
from scheduler.adapters.grpc.client_views import EventView, JobView
from scheduler.application.worker.progress import STORE_SECONDS
from scheduler.domain.job import first_version
from scheduler.domain.priority import Priority
from scheduler.domain.state import JobState
from scheduler.domain.submission import Submission
from scheduler.entrypoints.stack import Stack
from tests.acceptance.processes import keep_running
from tests.support.sql import execute

pytestmark = pytest.mark.servers
NOTES = 10_000
JOBS = 3
PAYLOAD = f'{{"sleep_seconds": 6, "progress_steps": {NOTES}}}'

# Notes each write to a job that leaves its version as it is, and in which transaction.
COUNT = (
    "CREATE TABLE progress_writes (job_id UUID NOT NULL, written_by INT8 NOT NULL)",
    """CREATE FUNCTION count_progress() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO progress_writes VALUES (NEW.id, txid_current()); RETURN NEW; END $$""",
    """CREATE TRIGGER count_progress AFTER UPDATE ON jobs FOR EACH ROW
    WHEN (OLD.version = NEW.version) EXECUTE FUNCTION count_progress()""",
)
COUNT_NO_MORE = (
    "DROP TRIGGER IF EXISTS count_progress ON jobs",
    "DROP FUNCTION IF EXISTS count_progress",
    "DROP TABLE IF EXISTS progress_writes",
)


@contextmanager
def counted_writes(url: str) -> Iterator[None]:
    try:
        execute(url, *COUNT)
        yield
    finally:
        execute(url, *COUNT_NO_MORE)


def writes(url: str) -> tuple[int, int]:
    """Return how often progress of a job was written, and in how many transactions."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*), count(DISTINCT written_by) FROM progress_writes").fetchone()
    assert row is not None
    return row[0], row[1]


async def followed(client: SchedulerClient, job_id: str) -> list[EventView]:
    async with asyncio.timeout(120):
        return [event async for event in client.watch(job_id)]


async def run_talkative_jobs(address: str) -> tuple[list[list[EventView]], list[JobView]]:
    async with SchedulerClient(address) as client:
        submission = Submission(type="noop", priority=Priority.CRITICAL, payload=PAYLOAD)
        ids = [(await client.submit(submission)).job_id for _ in range(JOBS)]
        seen = await asyncio.gather(*(followed(client, job_id) for job_id in ids))
        return seen, [await client.get(job_id) for job_id in ids]


def test_ten_thousand_notes_are_a_few_writes_and_a_few_events_a_second(stack: Stack) -> None:
    keep_running(stack.worker)
    with counted_writes(stack.postgres.url):
        seen, jobs = asyncio.run(run_talkative_jobs(stack.address))
        rows, transactions = writes(stack.postgres.url)

    times = [time for job in jobs for time in (job.started_at, job.finished_at) if time is not None]
    seconds = (max(times) - min(times)).total_seconds()
    assert 1 <= transactions <= seconds / STORE_SECONDS + 1
    assert rows <= transactions * JOBS
    for events, job in zip(seen, jobs, strict=True):
        assert (job.state, job.progress, job.progress_message) == (
            JobState.SUCCEEDED,
            100,
            f"step {NOTES} of {NOTES}",
        )
        told = [event for event in events if event.state is JobState.RUNNING and event.progress_message]
        assert 5 <= len(told) <= 5 * seconds + 1
        assert all(earlier.progress < later.progress for earlier, later in pairwise(told))
        assert {event.version for event in told} == {first_version(job.created_at) + 1}
        assert (events[-1].version, events[-1].progress) == (job.version, 100)
