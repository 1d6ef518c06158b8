"""All processes behind PgBouncer in transaction mode, with fewer sessions than they have connections."""

import asyncio

import pytest

from scheduler.domain.state import JobState
from scheduler.entrypoints.stack import Stack
from tests.acceptance.load import Load, run_load
from tests.acceptance.operations import await_ready, eventually, metric
from tests.acceptance.processes import keep_running
from tests.support.pgbouncer import needs_pgbouncer
from tests.support.sql import execute

pytestmark = pytest.mark.servers
CALLERS = 40
CALLS = 25


@pytest.fixture
def worked(stack: Stack) -> Stack:
    keep_running(stack.worker)
    await_ready(stack.ports.worker_metrics)
    return stack


@needs_pgbouncer
def test_a_load_through_few_sessions_is_neither_refused_nor_lost_nor_run_twice(worked: Stack) -> None:
    async def scenario(load: Load) -> None:
        async def submit() -> None:
            for _ in range(CALLS):
                await load.add(1)

        await asyncio.gather(*(submit() for _ in range(CALLERS)))
        jobs = await load.until_ended()
        assert {job.job_id for job in jobs} == set(load.ids)
        assert len(jobs) == CALLERS * CALLS
        assert {(job.state, job.attempts) for job in jobs} == {(JobState.SUCCEEDED, 1)}

    processes = [child.pid for child in worked.children]
    failed = failures(worked)
    run_load(worked, scenario)
    assert [child.pid for child in worked.children] == processes
    assert worked.dead_process() is None
    assert failures(worked) == failed


def failures(stack: Stack) -> float:
    """Count the statements that failed in the end, in all processes."""
    ports = (stack.ports.api_metrics, stack.ports.worker_metrics, stack.ports.reaper_metrics)
    return sum(metric(port, "store_errors_total") for port in ports)


def refused_results(stack: Stack) -> float:
    """Count the writes of results that failed."""
    return metric(stack.ports.worker_metrics, "store_errors_total", operation="apply_changes")


def test_a_result_waits_for_a_schema_that_is_away_for_a_moment_and_its_job_runs_once(worked: Stack) -> None:
    async def scenario(load: Load) -> None:
        await load.add(10, sleep_seconds=1)
        await load.until(lambda jobs: all(job.state is JobState.RUNNING for job in jobs))
        execute(worked.postgres.url, "ALTER TABLE jobs RENAME TO jobs_away")
        try:
            await asyncio.to_thread(eventually, lambda: refused_results(worked) > refused)
        finally:
            execute(worked.postgres.url, "ALTER TABLE jobs_away RENAME TO jobs")
        jobs = await load.until_ended()
        assert {(job.state, job.attempts) for job in jobs} == {(JobState.SUCCEEDED, 1)}

    process, refused = worked.worker.pid, refused_results(worked)
    run_load(worked, scenario)
    assert worked.worker.pid == process
