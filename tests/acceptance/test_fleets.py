"""Several processes of one kind behind one port: they share the work, and their metrics add up."""

import asyncio
from collections.abc import Iterator

import pytest

from scheduler.adapters.embedded.ports import free_port
from scheduler.adapters.grpc.client import SchedulerClient
from scheduler.domain.state import JobState
from scheduler.entrypoints.children import Child
from scheduler.entrypoints.stack import HOST, Stack
from tests.acceptance.load import Load, run_load
from tests.acceptance.operations import await_ready, metric
from tests.acceptance.processes import keep_running, running, sibling, stop
from tests.integration import process_jobs

pytestmark = pytest.mark.servers
JOBS = 60


def _fleet(child: Child, port: int, **environment: int) -> Iterator[int]:
    fleet = sibling(child, f"{child.name}-fleet", "--processes", "2", METRICS_PORT=port, **environment)
    with running(fleet):
        await_ready(port)
        yield port
    assert fleet.exit_code() == 0


@pytest.fixture
def worker_fleet(stack: Stack) -> Iterator[int]:
    """Two worker processes and no other; the port of their metrics."""
    stop(stack.worker)
    yield from _fleet(stack.worker, free_port(), WORKER_POOL_SIZE=2)


@pytest.fixture
def grpc_port() -> int:
    return free_port()


@pytest.fixture
def api_fleet(stack: Stack, grpc_port: int) -> Iterator[int]:
    """Two api processes beside the stack's; the port of their metrics."""
    yield from _fleet(stack.api, free_port(), GRPC_PORT=grpc_port)


def test_two_worker_processes_share_the_jobs_and_add_up_their_counts(stack: Stack, worker_fleet: int) -> None:
    async def scenario(load: Load) -> int:
        await load.add(JOBS, sleep_seconds=0.05)
        return len({job.worker_id for job in await load.until_ended()})

    assert run_load(stack, scenario) == 2
    for _ in range(10):  # whichever of the two answers
        assert metric(worker_fleet, "jobs_processed_total", status="success") == JOBS
        assert metric(worker_fleet, "worker_inflight_jobs") == 0


def test_each_of_several_worker_processes_has_the_handlers_of_the_command_line(stack: Stack) -> None:
    stop(stack.worker)
    port = free_port()
    options = ("--processes", "2", "--handlers", process_jobs.__name__)
    fleet = sibling(stack.worker, "fleet-handlers", *options, METRICS_PORT=port, WORKER_POOL_SIZE=1, WORKER_HANDLERS="")

    async def scenario(load: Load) -> None:
        workers = set[str | None]()
        while len(workers) < 2:  # the other one may still be starting
            await load.add(20, job_type="greet", item="tea")
            jobs = await load.until_ended()
            assert {job.state for job in jobs} == {JobState.SUCCEEDED}
            workers = {job.worker_id for job in jobs}

    with running(fleet):
        await_ready(port)
        run_load(stack, scenario)


def test_two_api_processes_share_the_clients_and_add_up_their_counts(
    stack: Stack, api_fleet: int, grpc_port: int
) -> None:
    keep_running(stack.worker)

    async def scenario(load: Load) -> None:
        await asyncio.gather(*(_submit_through(f"{HOST}:{grpc_port}") for _ in range(JOBS)))
        await load.add(1)
        await load.until_ended()

    run_load(stack, scenario, address=f"{HOST}:{grpc_port}")
    for _ in range(10):
        assert metric(api_fleet, "jobs_submitted_total") == JOBS + 1
        assert metric(api_fleet, "grpc_requests_total", method="SubmitJobs", status="OK") == JOBS + 1


async def _submit_through(address: str) -> None:
    """Submit a job over a connection of its own."""
    async with SchedulerClient(address) as client:
        await Load(client).add(1)
