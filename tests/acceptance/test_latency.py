"""An idle system takes a job at once: nothing on its way waits for a poll."""

import asyncio
import sys
import time
from statistics import median

import pytest

from scheduler.adapters.grpc.client import SchedulerClient
from scheduler.application.worker.claim_loop import POLL_SECONDS
from scheduler.domain.priority import Priority
from scheduler.domain.state import JobState
from scheduler.domain.submission import Submission
from scheduler.entrypoints.stack import Stack
from tests.acceptance.operations import await_ready
from tests.acceptance.processes import keep_running

pytestmark = pytest.mark.servers
JOBS = 20


def test_a_job_ends_long_before_any_poll_would_find_it(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    keep_running(stack.worker)
    await_ready(stack.ports.worker_metrics)

    waits = asyncio.run(_submit_one_by_one(stack.address))

    with capsys.disabled():
        sys.stdout.write(f"\nsubmit to final event on an idle system: median {median(waits) * 1000:.1f} ms\n")
    assert median(waits) < POLL_SECONDS / 5


async def _submit_one_by_one(address: str) -> list[float]:
    async with SchedulerClient(address) as client:
        await _submit_and_watch(client)  # connects
        return [await _submit_and_watch(client) for _ in range(JOBS)]


async def _submit_and_watch(client: SchedulerClient) -> float:
    began = time.perf_counter()
    job = await client.submit(Submission(type="noop", priority=Priority.CRITICAL))
    states = [event.state async for event in client.watch(job.job_id)]
    assert states[-1] is JobState.SUCCEEDED
    return time.perf_counter() - began
