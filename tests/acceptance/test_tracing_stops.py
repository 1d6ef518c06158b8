"""A worker that sends spans stops like any other, whatever its collector does."""

import socket

import pytest

from scheduler.adapters.embedded.ports import free_port
from scheduler.client import JobState, Priority, SchedulerClient, Submission
from scheduler.entrypoints.stack import HOST, Stack
from tests.acceptance.operations import await_ready
from tests.acceptance.processes import running, stop
from tests.acceptance.traced import run_to_its_end, traced
from tests.support.collector import running_collector

pytestmark = pytest.mark.servers
HOUR_MS = 3_600_000
SUBMISSION = Submission(type="noop", priority=Priority.LOW)


def run_and_stop(stack: Stack, endpoint: str) -> tuple[str, JobState]:
    """Run a job on a worker that would send its spans in an hour, and stop it in peace."""
    stop(stack.worker)
    port = free_port()
    worker = traced(stack.worker, endpoint, send_after_ms=HOUR_MS, METRICS_PORT=port)
    with running(worker):
        await_ready(port)
        ended = run_to_its_end(SchedulerClient(stack.address), SUBMISSION)
    assert worker.exit_code() == 0
    return ended


def test_the_last_spans_are_sent_by_a_worker_that_stops(stack: Stack) -> None:
    with running_collector() as collector:
        job_id, _ = run_and_stop(stack, collector.endpoint)

    assert job_id in {one.attributes.get("job.id") for one in collector.received}


def test_a_collector_that_never_answers_holds_up_neither_jobs_nor_the_stop(stack: Stack) -> None:
    with socket.create_server((HOST, 0)) as silent:
        _, state = run_and_stop(stack, f"http://{HOST}:{silent.getsockname()[1]}")

    assert state is JobState.SUCCEEDED
