"""Spans of real processes on real servers arrive at a collector."""

from collections.abc import Iterator

import pytest

from scheduler.adapters.embedded.ports import free_port
from scheduler.client import JobState, Priority, SchedulerClient, Submission
from scheduler.entrypoints.stack import HOST, Stack
from tests.acceptance.operations import await_ready
from tests.acceptance.processes import running, stop
from tests.acceptance.traced import run_to_its_end, traced
from tests.support.builders import a_trace
from tests.support.collector import Collector, Received, running_collector

pytestmark = pytest.mark.servers
SUBMIT = "scheduler.v1.SchedulerService/SubmitJob"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with running_collector() as collector:
        yield collector


@pytest.fixture(scope="module")
def address(stack: Stack, collector: Collector) -> Iterator[str]:
    """An api and two workers in one fleet, all of which send spans; the api's address."""
    stop(stack.worker)
    grpc_port, ports = free_port(), [free_port(), free_port()]
    api = traced(stack.api, collector.endpoint, GRPC_PORT=grpc_port, METRICS_PORT=ports[0])
    worker = traced(stack.worker, collector.endpoint, "--processes", "2", METRICS_PORT=ports[1])
    with running(api), running(worker):
        for port in ports:
            await_ready(port)
        yield f"{HOST}:{grpc_port}"
    assert (api.exit_code(), worker.exit_code()) == (0, 0)


def test_a_job_is_seen_from_its_submit_to_its_result(address: str, collector: Collector) -> None:
    trace = a_trace()
    client = SchedulerClient(address, trace=lambda: trace)
    submission = Submission(type="noop", priority=Priority.HIGH, payload='{"sleep_seconds": 0.01}')

    job_id, state = run_to_its_end(client, submission)

    assert state is JobState.SUCCEEDED
    submit = collector.wait_for(SUBMIT, lambda one: one.trace_id == trace.trace_id)
    assert (submit.service, submit.parent_id) == ("scheduler-api", trace.span_id)
    described = {"job.id": job_id, "job.type": "noop", "job.priority": "HIGH"}
    assert described.items() <= submit.attributes.items()
    _has_calls(collector, submit, "submit_jobs", ["postgresql add_jobs", "redis enqueue"])

    attempt = collector.wait_for("run noop", lambda one: one.attributes["job.id"] == job_id)
    assert (attempt.service, attempt.parent_id) == ("scheduler-worker", "")
    assert attempt.links == [(trace.trace_id, trace.span_id)]
    assert (described | {"job.attempt": 1, "job.outcome": "succeeded"}).items() <= attempt.attributes.items()
    _has_calls(collector, attempt, "finish_jobs", ["postgresql apply_changes", "redis publish"])
    sent = b"".join(one.span.SerializeToString() for one in collector.received)
    assert b"sleep_seconds" not in sent


def _has_calls(collector: Collector, parent: Received, batch: str, calls: list[str]) -> None:
    flush = collector.wait_for(batch, lambda one: one.parent_id == parent.span_id)
    for name in calls:
        call = collector.wait_for(name, lambda one: one.parent_id == flush.span_id)
        assert call.trace_id == flush.trace_id == parent.trace_id


def test_a_job_without_a_trace_is_linked_to_its_submit_and_a_failed_attempt_has_its_error(
    address: str, collector: Collector
) -> None:
    failing = Submission(type="noop", priority=Priority.LOW, payload='{"fail_permanently": true}')
    job_id, state = run_to_its_end(SchedulerClient(address), failing)

    assert state is JobState.FAILED
    submit = collector.wait_for(SUBMIT, lambda one: one.attributes.get("job.id") == job_id)
    attempt = collector.wait_for("run noop", lambda one: one.attributes["job.id"] == job_id)
    assert attempt.links == [(submit.trace_id, submit.span_id)]
    assert attempt.span.status.code == attempt.span.status.STATUS_CODE_ERROR
    assert "as the payload asks" in attempt.span.status.message
