"""What operators see of the three processes."""

import subprocess

import pytest

from scheduler.entrypoints.settings import Settings
from scheduler.entrypoints.stack import Stack
from tests.acceptance.load import Load, run_load
from tests.acceptance.operations import await_ready, eventually, get, metric
from tests.acceptance.processes import keep_running
from tests.deploy.tools import tool

pytestmark = pytest.mark.servers
PROCESSES = ["api", "worker", "reaper"]


@pytest.fixture
def ports(stack: Stack) -> dict[str, int]:
    keep_running(stack.worker)
    await_ready(stack.ports.worker_metrics)
    return {
        "api": stack.ports.api_metrics,
        "worker": stack.ports.worker_metrics,
        "reaper": stack.ports.reaper_metrics,
    }


@pytest.mark.parametrize("process", PROCESSES)
def test_every_process_is_healthy_and_ready(ports: dict[str, int], process: str) -> None:
    health, ready = get(ports[process], "/health"), get(ports[process], "/ready")

    assert (health.status, health.document) == (200, {"status": "ok"})
    assert ready.status == 200
    assert (ready.document["ready"], ready.document["degraded"]) == (True, False)


@pytest.mark.parametrize(
    ("process", "names"),
    [
        ("api", ["jobs_submitted_total", "grpc_requests_total", "grpc_request_duration_seconds_count"]),
        (
            "worker",
            [
                "jobs_processed_total",
                "job_processing_duration_seconds_count",
                "jobs_retried_total",
                "jobs_deadlettered_total",
                "worker_inflight_jobs",
            ],
        ),
        (
            "reaper",
            [
                "queue_depth",
                "processing_queue_depth",
                "retry_pump_jobs_requeued_total",
                "reaper_jobs_recovered_total",
            ],
        ),
    ],
)
def test_each_process_shows_its_metrics_before_anything_happens(
    ports: dict[str, int], process: str, names: list[str]
) -> None:
    shown = get(ports[process], "/metrics").body

    missing = [name for name in names if f"\n{name}" not in shown]
    assert not missing


def test_a_job_is_counted_by_every_process_that_it_passes(stack: Stack, ports: dict[str, int]) -> None:
    def counts() -> list[float]:
        return [
            metric(ports["api"], "jobs_submitted_total", priority="default"),
            metric(ports["api"], "grpc_requests_total", method="SubmitJobs", status="OK"),
            metric(ports["worker"], "jobs_processed_total", status="success"),
            metric(ports["worker"], "job_processing_duration_seconds_count", type="noop"),
        ]

    async def scenario(load: Load) -> None:
        await load.add(3)
        await load.until_ended()

    before = counts()
    run_load(stack, scenario)

    assert [now - then for now, then in zip(counts(), before, strict=True)] == [3, 1, 3, 3]


def test_the_reaper_shows_what_waits(stack: Stack, ports: dict[str, int]) -> None:
    async def scenario(load: Load) -> None:
        await load.add(1, sleep_seconds=600)
        await load.until(lambda jobs: jobs[0].worker_id is not None)
        eventually(lambda: metric(ports["reaper"], "running_jobs") == 1)
        assert metric(ports["worker"], "worker_inflight_jobs") == 1
        assert metric(ports["reaper"], "workers_alive") >= 1

    run_load(stack, scenario)
    eventually(lambda: metric(ports["worker"], "worker_inflight_jobs") == 0)


@pytest.mark.parametrize("process", PROCESSES)
def test_every_process_times_its_calls_and_its_event_loop(ports: dict[str, int], process: str) -> None:
    port = ports[process]
    eventually(lambda: metric(port, "redis_operation_seconds_count") > 0)
    eventually(lambda: metric(port, "event_loop_lag_seconds_count") > 0)

    assert metric(port, "store_operation_seconds_count") > 0
    assert metric(port, "store_pool_max_connections") == Settings().db_pool_size
    assert metric(port, "store_pool_connections") >= 1
    eventually(lambda: metric(port, "dependency_up", dependency="store") == 1)
    eventually(lambda: metric(port, "dependency_up", dependency="redis") == 1)


@pytest.mark.parametrize("process", PROCESSES)
def test_promtool_accepts_what_a_process_shows(ports: dict[str, int], process: str) -> None:
    shown = get(ports[process], "/metrics").body
    checked = subprocess.run(
        [tool("promtool"), "check", "metrics"], input=shown, capture_output=True, text=True, check=False
    )

    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
