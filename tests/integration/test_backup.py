"""A backup of the database is a backup of the scheduler: docs/maintenance.md, tried."""

import asyncio
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scheduler.adapters.embedded.binaries import postgres_programs
from scheduler.adapters.grpc.client import SchedulerClient
from scheduler.application.dto import JobFilter
from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.priority import Priority
from scheduler.domain.state import JobState
from scheduler.domain.submission import Submission
from tests.architecture.rules import ROOT
from tests.chaos.specs import QUICK_RETRIES
from tests.integration.installation import Installation
from tests.support.sql import create_database

pytestmark = pytest.mark.servers

KIND = "kind"
BEHAVIOURS = {
    "ended": "{}",
    "running": '{"sleep_seconds": 2}',
    "dead": '{"fail_attempts": 9}',
}


def test_a_restored_backup_goes_on_where_it_was_taken(postgres_url: str, redis_url: str, tmp_path: Path) -> None:
    before = an_installation("before", create_database(postgres_url), redis_url, tmp_path)
    before.migrate()
    with before.running() as address:
        asyncio.run(submit_all(address))
        taken = asyncio.run(wait_for_the_moment(address))
        dump = back_up(before.servers["DATABASE_URL"], tmp_path)
        # What happens after the backup is lost with the old database.
        asyncio.run(submit(address, "after", "{}"))

    after = an_installation("after", create_database(postgres_url), redis_url, tmp_path)
    restore(dump, after.servers["DATABASE_URL"])
    with after.running() as address:
        asyncio.run(assert_all_ended(address, taken))
    assert after.errors() == []


def an_installation(name: str, database_url: str, redis_url: str, logs: Path) -> Installation:
    """Redis is empty for each: nothing of it is backed up."""
    servers: dict[str, str | int] = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "REDIS_KEY_PREFIX": f"{{backup-{name}}}:",
        "GRPC_HOST": "127.0.0.1",
        "METRICS_HOST": "127.0.0.1",
        "LEASE_SECONDS": 4,
        "GRACE_SECONDS": 0,
    }
    return Installation(name, ROOT, servers, logs)


async def submit_all(address: str) -> None:
    for kind, payload in BEHAVIOURS.items():
        await submit(address, kind, payload)
    await submit(address, "scheduled", "{}", run_at=datetime.now(UTC) + timedelta(seconds=6))


async def submit(address: str, kind: str, payload: str, run_at: datetime | None = None) -> str:
    """Submit a job; its kind is its idempotency key."""
    submission = Submission(
        type="noop",
        priority=Priority.DEFAULT,
        payload=payload,
        labels={KIND: kind},
        idempotency_key=kind,
        max_attempts=2,
        retry_policy=QUICK_RETRIES,
        run_at=run_at,
    )
    async with SchedulerClient(address) as client:
        return (await client.submit(submission)).job_id


async def wait_for_the_moment(address: str) -> Mapping[str, str]:
    """Wait until each job is in the state that it is there for; return their ids by kind."""
    wanted = {
        "ended": JobState.SUCCEEDED,
        "running": JobState.RUNNING,
        "dead": JobState.DEADLETTER,
        "scheduled": JobState.SCHEDULED,
    }
    async with SchedulerClient(address) as client, asyncio.timeout(30):
        while True:
            jobs = [job async for job in client.list(JobFilter())]
            if {job.labels[KIND]: job.state for job in jobs} == wanted:
                return {job.labels[KIND]: job.job_id for job in jobs}
            await asyncio.sleep(0.02)


async def assert_all_ended(address: str, taken: Mapping[str, str]) -> None:
    async with SchedulerClient(address) as client:
        ends = {kind: [event async for event in client.watch(job_id)][-1].state for kind, job_id in taken.items()}
        outcomes = {kind: [a.outcome for a in await client.attempts(job_id)] for kind, job_id in taken.items()}
        listed = [job async for job in client.list(JobFilter())]
    assert ends == {
        "ended": JobState.SUCCEEDED,
        "running": JobState.SUCCEEDED,
        "dead": JobState.DEADLETTER,
        "scheduled": JobState.SUCCEEDED,
    }
    assert outcomes["running"] == [AttemptOutcome.LOST, AttemptOutcome.SUCCEEDED]
    assert outcomes["ended"] == outcomes["scheduled"] == [AttemptOutcome.SUCCEEDED]
    assert await submit(address, "ended", BEHAVIOURS["ended"]) == taken["ended"]
    assert {job.job_id for job in listed} == set(taken.values())


def back_up(database_url: str | int, folder: Path) -> Path:
    dump = folder / "scheduler.dump"
    run_program("pg_dump", "--format=custom", f"--file={dump}", f"--dbname={database_url}")
    return dump


def restore(dump: Path, database_url: str | int) -> None:
    run_program("pg_restore", "--exit-on-error", "--no-owner", f"--dbname={database_url}", str(dump))


def run_program(name: str, *arguments: str) -> None:
    """Run a program of PostgreSQL's."""
    subprocess.run([postgres_programs() / name, *arguments], check=True, capture_output=True, timeout=60)
