"""Worker processes under load: their places, their graceful stop, and their sudden end."""

import signal
from collections.abc import Sequence

import pytest

from scheduler.adapters.grpc.client_views import JobView
from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.state import JobState
from scheduler.entrypoints.children import Child
from scheduler.entrypoints.stack import Stack
from tests.acceptance.load import Load, count, run_load
from tests.acceptance.operations import eventually
from tests.acceptance.processes import keep_running, running, send, sibling, stop

pytestmark = pytest.mark.servers
PLACES = 5


@pytest.fixture(autouse=True)
def no_other_worker(stack: Stack) -> None:
    """Keep the stack's own worker from taking the jobs."""
    stop(stack.worker)


def _runs(jobs: Sequence[JobView]) -> int:
    return count(jobs, JobState.RUNNING)


def _insist(worker: Child) -> bool:
    """Ask to stop; tell whether it has ended. Asked at once twice, a process may hear it once."""
    worker.ask_to_stop()
    return worker.exit_code() is not None


def test_a_worker_runs_as_many_jobs_as_it_has_places_and_no_more(stack: Stack) -> None:
    async def scenario(load: Load) -> list[int]:
        await load.add(4 * PLACES, sleep_seconds=0.3)
        with running(sibling(stack.worker, "places", METRICS_PORT=0, WORKER_POOL_SIZE=PLACES)):
            seen: list[int] = []

            def note(jobs: Sequence[JobView]) -> bool:
                seen.append(_runs(jobs))
                return count(jobs, JobState.SUCCEEDED) == len(jobs)

            await load.until(note)
            return seen

    assert max(run_load(stack, scenario)) == PLACES


def test_a_worker_that_is_stopped_gives_its_jobs_back_at_no_cost(stack: Stack) -> None:
    worker = sibling(stack.worker, "stopped", METRICS_PORT=0, WORKER_POOL_SIZE=PLACES, GRACE_SECONDS=1)

    async def scenario(load: Load) -> None:
        ids = await load.add(4 * PLACES, sleep_seconds=600)
        with running(worker):
            await load.until(lambda jobs: _runs(jobs) == PLACES)
            held = {job.job_id for job in await load.in_state(JobState.RUNNING)}
            assert stop(worker) == 0
        jobs = await load.in_state()
        assert [(job.state, job.attempts, job.losses) for job in jobs] == [(JobState.QUEUED, 0, 0)] * len(ids)
        for job_id in ids:
            outcomes = [attempt.outcome for attempt in await load.client.attempts(job_id)]
            assert outcomes == ([AttemptOutcome.RELEASED] if job_id in held else [])

    run_load(stack, scenario)


def test_a_worker_that_is_stopped_twice_ends_at_once_and_its_jobs_run_elsewhere(stack: Stack) -> None:
    worker = sibling(stack.worker, "hurried", METRICS_PORT=0, GRACE_SECONDS=600)

    async def scenario(load: Load) -> None:
        await load.add(3, sleep_seconds=2)
        with running(worker):
            await load.until(lambda jobs: _runs(jobs) == 3)
            eventually(lambda: _insist(worker))
        keep_running(stack.worker)
        jobs = await load.until_ended()
        assert [job.state for job in jobs] == [JobState.SUCCEEDED] * 3

    run_load(stack, scenario)


def test_all_jobs_of_a_killed_worker_run_on_another(stack: Stack) -> None:
    doomed = sibling(stack.worker, "killed", METRICS_PORT=0, WORKER_POOL_SIZE=PLACES)

    async def scenario(load: Load) -> None:
        await load.add(2 * PLACES, sleep_seconds=1)
        with running(doomed):
            await load.until(lambda jobs: _runs(jobs) == PLACES)
            send(doomed, signal.SIGKILL)
            doomed.await_end()
        held = {job.job_id for job in await load.in_state(JobState.RUNNING)}
        keep_running(stack.worker)
        jobs = await load.until_ended()
        assert [job.state for job in jobs] == [JobState.SUCCEEDED] * len(jobs)
        assert {job.job_id for job in jobs if job.losses == 1} == held
        assert {job.job_id for job in jobs if job.attempts == 2} == held

    run_load(stack, scenario)
