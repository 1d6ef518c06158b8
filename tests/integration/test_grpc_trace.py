"""The trace in which a job is submitted, from the client's metadata to the store."""

from collections.abc import Sequence

import pytest

import scheduler.client
from scheduler.adapters.grpc.client import SchedulerClient
from scheduler.adapters.grpc.pb import scheduler_pb2 as pb
from scheduler.application.current_trace import in_trace
from scheduler.application.use_cases.submit_jobs import SubmitCommand
from scheduler.domain.trace import TraceContext
from tests.integration.grpc_tools import Api, a_job_message, over_loopback
from tests.support.builders import a_submission, a_trace
from tests.unit.opentelemetry.recorder import Recorder

TRACE = a_trace("vendor=1,other=2")


async def stored_trace(api: Api, metadata: Sequence[tuple[str, str]]) -> TraceContext | None:
    response = await api.stub.SubmitJob(pb.SubmitJobRequest(job=a_job_message()), metadata=metadata)
    return await api.trace(response.job_id)


@over_loopback
async def test_a_job_is_stored_with_the_trace_of_its_submitter(api: Api) -> None:
    metadata = [("traceparent", TRACE.traceparent), ("tracestate", "vendor=1"), ("tracestate", "other=2")]
    batch = await api.stub.SubmitJobs(pb.SubmitJobsRequest(jobs=[a_job_message()] * 2), metadata=metadata)

    assert await stored_trace(api, metadata) == TRACE
    assert [await api.trace(result.job_id) for result in batch.results] == [TRACE, TRACE]


@pytest.mark.parametrize(
    "metadata",
    [
        [],
        [("traceparent", "none")],
        [("tracestate", "vendor=1")],
    ],
)
@over_loopback
async def test_a_job_without_a_valid_trace_is_stored_without_one(api: Api, metadata: Sequence[tuple[str, str]]) -> None:
    assert await stored_trace(api, metadata) is None


@over_loopback
async def test_a_repeated_submit_may_come_from_another_trace_and_leaves_the_first(api: Api) -> None:
    request = pb.SubmitJobRequest(job=a_job_message(idempotency_key="order-7"))
    first = await api.stub.SubmitJob(request, metadata=[("traceparent", TRACE.traceparent)])
    again = await api.stub.SubmitJob(request, metadata=[("traceparent", a_trace().traceparent)])

    trace = await api.trace(first.job_id)
    assert (again.job_id, again.created) == (first.job_id, False)
    assert trace is not None
    assert trace.traceparent == TRACE.traceparent


@over_loopback
async def test_the_client_tells_the_current_span_of_the_program_that_calls(api: Api) -> None:
    tracing = Recorder()
    async with scheduler.client.SchedulerClient(api.address) as client:
        with tracing.batch("order", []):
            job = await client.submit(a_submission())

    trace = await api.trace(job.job_id)
    assert trace is not None
    assert trace.span_id in tracing.only().to_json()


@over_loopback
async def test_the_client_tells_the_trace_in_which_it_is_called(api: Api) -> None:
    async with SchedulerClient(api.address) as client:
        with in_trace(TRACE):
            one = await client.submit(a_submission())
            (other,) = await client.submit_many([SubmitCommand(submission=a_submission())])
        none = await client.submit(a_submission())

    traces = [await api.trace(job.job_id) for job in (one, other, none)]
    assert traces == [TRACE, TRACE, None]
