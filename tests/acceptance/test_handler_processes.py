"""Handlers in processes of their own, under a real worker: they stop with their job, and end with their worker."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.state import JobState
from scheduler.entrypoints.children import Child
from scheduler.entrypoints.stack import Stack
from tests.acceptance.load import Load, count, run_load
from tests.acceptance.operations import eventually, metric
from tests.acceptance.processes import running, send, sibling, stop
from tests.integration import process_jobs
from tests.integration.process_tools import is_gone, read

pytestmark = pytest.mark.servers


@pytest.fixture
def worker(stack: Stack) -> Iterator[Child]:
    """Run a worker that knows our handlers, alone: the stack's own would take their jobs and know none of them."""
    stop(stack.worker)
    port = stack.ports.worker_metrics
    ours = sibling(
        stack.worker, "processes", WORKER_HANDLERS=process_jobs.__name__, METRICS_PORT=port, WORKER_POOL_SIZE=1
    )
    with running(ours):
        yield ours


async def begin(load: Load, folder: Path, job_type: str = "wait.parent") -> tuple[str, list[int]]:
    """Start a job that waits; return its id and the processes that it has."""
    (job_id,) = await load.add(1, job_type=job_type, folder=str(folder))
    await load.until(lambda jobs: count(jobs, JobState.RUNNING) == 1 and read(folder / "began") != "")
    return job_id, [int(read(folder / name)) for name in ("began", "grandchild") if read(folder / name)]


def all_gone(pids: list[int]) -> bool:
    return all(map(is_gone, pids))


def test_a_job_that_is_cancelled_stops_its_process_and_frees_its_place(
    stack: Stack, worker: Child, tmp_path: Path
) -> None:
    port = stack.ports.worker_metrics

    async def scenario(load: Load) -> None:
        job_id, pids = await begin(load, tmp_path)
        assert metric(port, "handler_processes") == 1
        assert await load.client.cancel(job_id)
        eventually(lambda: all_gone(pids))
        eventually(lambda: metric(port, "handler_processes_ended_total", reason="killed") == 1)
        await load.add(1, job_type="greet", item="tea")
        jobs = await load.until_ended()
        assert sorted(job.state for job in jobs) == [JobState.CANCELLED, JobState.SUCCEEDED]

    run_load(stack, scenario)


def test_a_worker_that_stops_gives_the_job_of_a_process_back_at_no_cost(
    stack: Stack, worker: Child, tmp_path: Path
) -> None:
    async def scenario(load: Load) -> None:
        job_id, pids = await begin(load, tmp_path)
        assert stop(worker) == 0
        assert all_gone(pids)
        (job,) = await load.in_state()
        assert (job.state, job.attempts, job.losses) == (JobState.QUEUED, 0, 0)
        assert [attempt.outcome for attempt in await load.client.attempts(job_id)] == [AttemptOutcome.RELEASED]

    run_load(stack, scenario)


def test_a_worker_that_stops_lets_a_process_finish_first(stack: Stack, worker: Child, tmp_path: Path) -> None:
    async def scenario(load: Load) -> None:
        await begin(load, tmp_path, "wait.for")
        worker.ask_to_stop()
        (tmp_path / "go").touch()
        worker.await_end()
        (job,) = await load.in_state()
        assert (job.state, job.attempts) == (JobState.SUCCEEDED, 1)

    run_load(stack, scenario)


def test_a_worker_that_is_killed_leaves_no_process(stack: Stack, worker: Child, tmp_path: Path) -> None:
    async def scenario(load: Load) -> None:
        _, pids = await begin(load, tmp_path)
        send(worker, signal.SIGKILL)
        worker.await_end()
        eventually(lambda: all_gone(pids))

    run_load(stack, scenario)
