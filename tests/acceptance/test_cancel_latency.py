"""How long a cancel takes to reach a running handler and to free its place, as the worker itself measures it."""

import pytest

from scheduler.adapters.embedded.ports import free_port
from scheduler.domain.state import JobState
from scheduler.entrypoints.stack import HOST, Stack
from tests.acceptance.load import Load, count, run_load
from tests.acceptance.operations import eventually, metric
from tests.acceptance.processes import running, sibling, stop

pytestmark = pytest.mark.servers
JOBS = 20
MOST = 18
"""A machine that is busy otherwise may be late now and then."""
NAME = "cancel_latency_seconds"


def cancel_all(stack: Stack, within: float, **environment: str | int) -> float:
    """Cancel running jobs, one by one, under a worker of its own; return how many cancels took no longer than that."""
    stop(stack.worker)
    port = stack.ports.worker_metrics

    async def scenario(load: Load) -> None:
        ids = await load.add(JOBS, sleep_seconds=600)
        await load.until(lambda jobs: count(jobs, JobState.RUNNING) == JOBS)
        for job_id in ids:
            assert await load.client.cancel(job_id)
        eventually(lambda: metric(port, f"{NAME}_count") == JOBS)

    worker = sibling(stack.worker, "cancels", METRICS_PORT=port, WORKER_POOL_SIZE=JOBS, **environment)
    with running(worker):
        run_load(stack, scenario)
        return metric(port, f"{NAME}_bucket", le=str(within))


def test_redis_carries_it_within_a_second_long_before_any_renewal(stack: Stack) -> None:
    assert cancel_all(stack, within=1.0, LEASE_SECONDS=3600) >= MOST


def test_without_redis_it_takes_a_renewal_at_most(stack: Stack) -> None:
    nobody = f"redis://{HOST}:{free_port()}/0"
    lease = 6  # renewed every 2 s; the bucket above that
    assert cancel_all(stack, within=2.5, LEASE_SECONDS=lease, REDIS_URL=nobody) >= MOST
