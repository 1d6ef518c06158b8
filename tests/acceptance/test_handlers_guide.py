"""docs/handlers.md, followed word by word: every block of it is written or run, and does what the page says."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.adapters.embedded.ports import free_port
from scheduler.client import JobState, JobView, Priority, SchedulerClient, Submission
from scheduler.entrypoints.stack import HOST, Stack
from tests.acceptance.guide import Guide, Reader
from tests.acceptance.operations import await_ready, metric
from tests.acceptance.processes import stop
from tests.architecture.rules import ROOT
from tests.support.ports import three_free_ports

pytestmark = pytest.mark.servers
GUIDE = Guide((ROOT / "docs/handlers.md").read_text("utf-8"))
UP, SUBMIT, SCRIPT, TESTS, INSTALL, WORKER = GUIDE.commands()
TYPES = ["order.price", "primes.count", "stock.count"]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """Somebody who has written all files of the guide, and uses ports that nobody else does."""
    grpc_port, metrics_port = str(free_port()), str(three_free_ports())
    environment = {
        "GRPC_PORT": grpc_port,
        "METRICS_PORT": metrics_port,
        "SCHEDULER_ADDRESS": f"{HOST}:{grpc_port}",
        "PYTEST_ADDOPTS": "-p no:cacheprovider",
    }
    reader = Reader(tmp_path_factory.mktemp("guide"), environment)
    reader.write(GUIDE.files())
    return reader


@pytest.fixture(scope="module")
def served(reader: Reader) -> Iterator[Reader]:
    """Whose scheduler runs meanwhile."""
    with reader.running(UP):
        for part in range(3):
            await_ready(int(reader.environment["METRICS_PORT"]) + part)
        yield reader


def test_a_job_is_submitted_watched_and_shown_with_its_result(served: Reader) -> None:
    shown = served.run(SUBMIT)

    assert "SUCCEEDED" in shown
    assert '{"customer":"ada","total":"7.00"}' in shown


def test_a_program_submits_with_types_and_reads_the_result(served: Reader) -> None:
    assert served.run(SCRIPT) == '{"customer":"grace","total":"3.75"}\n'


def test_the_tests_of_the_guide_pass(reader: Reader) -> None:
    assert "5 passed" in reader.run(TESTS)


@pytest.fixture(scope="module")
def site(reader: Reader, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the guide's package is installed, from what this machine has."""
    site = tmp_path_factory.mktemp("site")
    offline = {"PIP_TARGET": str(site), "PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0"}
    shown = Reader(reader.folder, {**offline, "PYTHONPATH": str(site)}).run(INSTALL)
    assert set(TYPES) < set(shown.splitlines())
    return site


def test_workers_run_the_handlers_of_an_installed_package(stack: Stack, site: Path, tmp_path: Path) -> None:
    stop(stack.worker)
    environment = {name: str(value) for name, value in stack.worker.environment.items()}
    worker = Reader(tmp_path, {**environment, "PYTHONPATH": str(site), "WORKER_HANDLERS": ""})

    with worker.running(WORKER):
        await_ready(stack.ports.worker_metrics)
        jobs = asyncio.run(_run(stack.address, tmp_path))
        assert metric(stack.ports.worker_metrics, "job_processing_duration_seconds_count", type="order.price") == 2

    assert [(job.state, job.result) for job in jobs] == [
        (JobState.SUCCEEDED, '{"customer":"ada","total":"7.00"}'),
        (JobState.SUCCEEDED, '{"tea":2}'),
        (JobState.SUCCEEDED, "4"),
        (JobState.FAILED, None),
    ]
    assert jobs[-1].last_error == "payload.lines[0].quantity: Input should be greater than 0"


async def _run(address: str, folder: Path) -> list[JobView]:
    """Run a job of each kind and one that is wrong, by a client that knows none of the package's types."""
    (folder / "tea.csv").write_text("green\nblack\n", "utf-8")
    order = '{"customer": "ada", "lines": [{"item": "tea", "quantity": %d, "price": "3.50"}]}'
    payloads = [
        ("order.price", order % 2),
        ("stock.count", f'"{folder}"'),
        ("primes.count", "10"),
        ("order.price", order % 0),
    ]
    async with SchedulerClient(address) as client, asyncio.timeout(60):
        return [await _ended(client, job_type, payload) for job_type, payload in payloads]


async def _ended(client: SchedulerClient, job_type: str, payload: str) -> JobView:
    submission = Submission(type=job_type, priority=Priority.DEFAULT, payload=payload)
    job = await client.submit(submission)
    async for _ in client.watch(job.job_id):
        pass
    return await client.get(job.job_id)
