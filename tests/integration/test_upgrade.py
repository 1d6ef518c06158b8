"""An upgrade without a stop: the version before the newest migration works on, beside the new one."""

import asyncio
import subprocess
import tarfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from scheduler.adapters.cockroach.statements import read_sql
from scheduler.adapters.grpc.client import SchedulerClient
from scheduler.application.use_cases.submit_jobs import SubmitCommand
from scheduler.domain.priority import Priority
from scheduler.domain.state import JobState
from scheduler.domain.submission import Submission
from tests.architecture.rules import ROOT
from tests.chaos.specs import QUICK_RETRIES
from tests.integration.installation import Installation
from tests.support.sql import create_database

pytestmark = pytest.mark.servers

MIGRATIONS = "scheduler/adapters/cockroach/migrations"
CLI = "scheduler.entrypoints.cli"
JOBS = 40


@pytest.fixture
def versions(postgres_url: str, redis_url: str, tmp_path: Path) -> tuple[Installation, Installation]:
    """The version before the newest migration, and this one."""
    servers: dict[str, str | int] = {
        "DATABASE_URL": create_database(postgres_url),
        "REDIS_URL": redis_url,
        "REDIS_KEY_PREFIX": "{upgrade}:",
        "GRPC_HOST": "127.0.0.1",
        "METRICS_HOST": "127.0.0.1",
    }
    old_source = tmp_path / "old"
    unpack_previous(old_source)
    return Installation("old", old_source, servers, tmp_path), Installation("new", ROOT, servers, tmp_path)


def test_the_old_version_works_on_while_and_after_the_schema_is_migrated(
    versions: tuple[Installation, Installation],
) -> None:
    old, new = versions
    old.migrate()
    with old.running() as old_api:
        asyncio.run(submit_and_await(old_api))
        migrated = asyncio.run(submit_and_await(old_api, meanwhile=new.migrate))
        assert newest_migration() in migrated
        asyncio.run(submit_and_await(old_api))
        with new.running() as new_api:
            asyncio.run(submit_and_await(new_api, old_api))
    assert old.errors() == new.errors() == []


async def submit_and_await(*addresses: str, meanwhile: Callable[[], str] = str) -> str:
    """Submit jobs through each api, some of which fail once; all succeed, seen through the last one."""
    changing = asyncio.create_task(asyncio.to_thread(meanwhile))
    job_ids: list[str] = []
    for address in addresses:
        async with SchedulerClient(address) as client:
            job_ids += [job.job_id for job in await client.submit_many([command(n) for n in range(JOBS)])]
    async with SchedulerClient(addresses[-1]) as client:
        ends = [[event async for event in client.watch(job_id)][-1] for job_id in job_ids]
        attempts = [len(await client.attempts(job_id)) for job_id in job_ids]
    assert {end.state for end in ends} == {JobState.SUCCEEDED}
    assert attempts == [1 + n % 2 for _ in addresses for n in range(JOBS)]
    return await changing


def command(number: int) -> SubmitCommand:
    """Return a job that takes a moment; every other one fails once."""
    payload = f'{{"sleep_seconds": 0.02, "fail_attempts": {number % 2}}}'
    submission = Submission(
        type="noop",
        priority=Priority.DEFAULT,
        payload=payload,
        retry_policy=QUICK_RETRIES,
    )
    return SubmitCommand(submission=submission)


def newest_migration() -> str:
    """Return its name."""
    return max(read_sql("migrations"))


def unpack_previous(folder: Path) -> None:
    """Put the version before the newest migration into the folder; skip where there is no history."""
    added = git("log", "-1", "--format=%H", "--diff-filter=A", "--", f"{MIGRATIONS}/{newest_migration()}.sql").decode()
    commit = f"{added.strip()}^" if added.strip() else "HEAD"
    with tarfile.open(fileobj=BytesIO(git("archive", "--format=tar", commit, "scheduler"))) as archive:
        # An argument of extractall only since Python 3.11.4.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(folder)


def git(*arguments: str) -> bytes:
    """Ask the repository that the tests run in."""
    try:
        return subprocess.run(["git", "-C", str(ROOT), *arguments], check=True, capture_output=True, timeout=30).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no history to take the previous version from: {error}")
