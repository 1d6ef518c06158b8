"""nginx of the compose stack, on two real api processes."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.adapters.embedded.ports import free_port
from scheduler.adapters.grpc.client import Patience, SchedulerClient
from scheduler.adapters.grpc.client_errors import ClientError
from scheduler.domain.state import JobState
from scheduler.entrypoints.children import Child
from scheduler.entrypoints.stack import Stack
from tests.acceptance.load import Load, run_load
from tests.acceptance.operations import await_ready, metric
from tests.acceptance.processes import keep_running, running, sibling, stop
from tests.deploy.balancer import balancing, configure
from tests.deploy.tools import passes

JOBS = 40
IMPATIENT = Patience(seconds=5.0, tries=2)


def test_the_configuration_is_valid(tmp_path: Path) -> None:
    passes(["nginx", "-t", "-e", "stderr", "-c", configure(tmp_path, free_port(), [free_port()])])


@pytest.fixture(scope="module")
def other_api(stack: Stack) -> Iterator[Child]:
    api = sibling(stack.api, "api-2", GRPC_PORT=free_port(), METRICS_PORT=free_port())
    with running(api):
        yield api


@pytest.fixture
def second_api(stack: Stack, other_api: Child) -> Child:
    for process in (stack.worker, stack.api, other_api):
        keep_running(process)
        await_ready(int(process.environment["METRICS_PORT"]))
    return other_api


@pytest.fixture
def address(stack: Stack, second_api: Child, tmp_path: Path) -> Iterator[str]:
    with balancing(tmp_path, [stack.ports.grpc, int(second_api.environment["GRPC_PORT"])]) as address:
        yield address


def calls(port: int) -> float:
    return metric(port, "grpc_requests_total", method="SubmitJobs", status="OK")


@pytest.mark.servers
def test_calls_of_one_connection_are_spread_over_the_apis(stack: Stack, second_api: Child, address: str) -> None:
    async def scenario(load: Load) -> None:
        for _ in range(JOBS):
            await load.add(1)
        await load.until_ended()

    ports = [stack.ports.api_metrics, int(second_api.environment["METRICS_PORT"])]
    before = [calls(port) for port in ports]
    run_load(stack, scenario, address=address)

    shares = [calls(port) - then for port, then in zip(ports, before, strict=True)]
    assert sum(shares) == JOBS
    assert min(shares) >= JOBS / 4


@pytest.mark.servers
def test_a_watch_is_passed_on_event_by_event(stack: Stack, address: str) -> None:
    async def scenario(load: Load) -> list[JobState]:
        (job_id,) = await load.add(1, sleep_seconds=0.2)
        return [event.state async for event in load.client.watch(job_id)]

    assert run_load(stack, scenario, address=address)[-1] == JobState.SUCCEEDED


@pytest.mark.servers
def test_the_largest_batch_passes(stack: Stack, address: str) -> None:
    async def scenario(load: Load) -> None:
        await load.add(1000, filler="x" * 4000)
        await load.until_ended()

    run_load(stack, scenario, address=address)


@pytest.mark.servers
def test_an_api_that_stops_costs_no_call(stack: Stack, second_api: Child, address: str) -> None:
    async def scenario(load: Load) -> None:
        stopping = asyncio.create_task(asyncio.to_thread(stop, second_api))
        while not stopping.done():
            await load.add(1)
        await stopping
        await load.add(JOBS)
        await load.until_ended()

    run_load(stack, scenario, address=address)


def test_without_any_api_calls_are_refused_as_unavailable(tmp_path: Path) -> None:
    async def call(address: str) -> str:
        async with SchedulerClient(address, patience=IMPATIENT) as client:
            with pytest.raises(ClientError) as caught:
                await client.queue_stats()
        return f"{caught.value.status}: {caught.value.message}"

    with balancing(tmp_path, [free_port(), free_port()]) as address:
        assert asyncio.run(call(address)) == "UNAVAILABLE: no api answers"
