"""Real workers whose handlers will not stop, or try to end them."""

import re
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from scheduler.adapters.grpc.client_views import JobView
from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.state import JobState
from scheduler.entrypoints.children import Child
from scheduler.entrypoints.runtime import EXIT_UNFIT
from scheduler.entrypoints.stack import Stack
from tests.acceptance.load import Load, count, run_load
from tests.acceptance.operations import eventually, metric
from tests.acceptance.processes import keep_running, running, sibling, stop

pytestmark = pytest.mark.servers
LIMIT = timedelta(seconds=0.5)
FOR_EVER = 600


@pytest.fixture(autouse=True)
def no_other_worker(stack: Stack) -> None:
    """Keep the stack's own worker from taking the jobs."""
    stop(stack.worker)


def a_worker(stack: Stack, name: str, *, places: int, **environment: int) -> Child:
    port = stack.ports.worker_metrics
    return sibling(stack.worker, name, METRICS_PORT=port, WORKER_POOL_SIZE=places, **environment)


async def outcomes(load: Load, job_id: str) -> list[AttemptOutcome | None]:
    return [attempt.outcome for attempt in await load.client.attempts(job_id)]


@pytest.mark.parametrize("job_type", ["unruly.stay", "unruly.block"])
def test_a_handler_or_thread_that_runs_on_is_abandoned_and_its_place_is_used(stack: Stack, job_type: str) -> None:
    async def scenario(load: Load) -> None:
        with running(a_worker(stack, job_type, places=2)) as worker:
            (stubborn,) = await load.add(1, job_type=job_type, limit=LIMIT, seconds=FOR_EVER)
            await load.until(lambda jobs: jobs[0].state is JobState.RETRYING)
            assert await outcomes(load, stubborn) == [AttemptOutcome.TIMED_OUT]
            assert await load.client.cancel(stubborn)
            eventually(lambda: metric(port, "handlers_abandoned_alive") == 1)
            assert metric(port, "handlers_abandoned_total", type=job_type) == 1
            await load.add(4)
            jobs = await load.until_ended()
            assert count(jobs, JobState.SUCCEEDED) == 4
            assert stop(worker) == 0, "what it left behind does not keep a process that is asked to stop"

    port = stack.ports.worker_metrics
    run_load(stack, scenario)


def most_megabytes(child: Child) -> int:
    """Return the most memory that a process has had."""
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{child.pid}/status").read_text())
    return int(peak) // 1024


def _is_left(jobs: Sequence[JobView]) -> bool:
    return count(jobs, JobState.RETRYING) == 1


def test_a_worker_full_of_abandoned_handlers_ends_and_its_jobs_run_elsewhere_at_no_cost(stack: Stack) -> None:
    async def scenario(load: Load) -> None:
        with running(a_worker(stack, "worn-out", places=1)) as worker:
            (stubborn,) = await load.add(1, job_type="unruly.stay", limit=LIMIT, seconds=FOR_EVER)
            await load.until(_is_left)
            assert await load.client.cancel(stubborn)
            (patient,) = await load.add(1, sleep_seconds=FOR_EVER)
            eventually(lambda: worker.exit_code() == EXIT_UNFIT)
        job = await load.client.get(patient)
        assert (job.state, job.attempts, job.losses) == (JobState.QUEUED, 0, 0)
        assert await outcomes(load, patient) == [AttemptOutcome.RELEASED]
        keep_running(stack.worker)
        await load.until(lambda jobs: count(jobs, JobState.RUNNING) == 1)

    run_load(stack, scenario)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of a process from /proc")
def test_a_worker_in_which_handlers_leave_much_behind_keeps_a_bounded_memory(stack: Stack) -> None:
    jobs, megabytes = 100, 10

    async def scenario(load: Load) -> None:
        with running(a_worker(stack, "circles", places=2)) as worker:
            await load.add(jobs, job_type="unruly.circle", megabytes=megabytes)
            ended = await load.until_ended()
            assert count(ended, JobState.SUCCEEDED) == jobs
            assert most_megabytes(worker) < jobs * megabytes / 2

    run_load(stack, scenario)


def test_a_worker_in_which_handlers_leak_ends_and_its_jobs_run_elsewhere_at_no_cost(stack: Stack) -> None:
    async def scenario(load: Load) -> None:
        with running(a_worker(stack, "leaking", places=1, WORKER_MAX_MB=400)) as worker:
            await load.add(2, job_type="unruly.leak", megabytes=200)
            eventually(lambda: worker.exit_code() == EXIT_UNFIT)
        await load.add(1)
        keep_running(stack.worker)
        jobs = await load.until_ended()
        assert [(job.state, job.attempts) for job in jobs] == [(JobState.SUCCEEDED, 1)] * 3

    run_load(stack, scenario)


def test_no_task_and_no_callback_of_a_handler_ends_its_worker(stack: Stack) -> None:
    async def scenario(load: Load) -> None:
        with running(a_worker(stack, "contained", places=2)) as worker:
            (task,) = await load.add(1, job_type="unruly.harm", what="exit in a task")
            await load.until(lambda jobs: count(jobs, JobState.RETRYING) == 1)
            assert (await load.client.get(task)).last_error == "SystemExit: 3"
            assert await load.client.cancel(task)
            await load.add(5, job_type="unruly.stray", seconds=0.05)
            await load.add(5)
            jobs = await load.until_ended()
            assert count(jobs, JobState.SUCCEEDED) == 10
            assert worker.exit_code() is None

    run_load(stack, scenario)
