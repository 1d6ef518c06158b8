import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import grpc.aio
import pytest
from google.protobuf.json_format import ParseError

from scheduler.adapters.grpc.pb import scheduler_pb2 as pb
from tests.support.original_client import SERVICE, OriginalClient, original_fields, original_message

T = TypeVar("T")

STATUS = pb.JobStatus(
    job_id="a",
    state=pb.JOB_STATE_SUCCEEDED,
    attempts=2,
    last_error="first try",
    type="noop",
    priority=pb.PRIORITY_HIGH,
    payload_json="{}",
    version=5,
    labels={"team": "mail"},
    progress=100.0,
    losses=1,
)
WHAT_THE_ORIGINAL_SEES = {
    "job_id": "a",
    "state": "JOB_STATE_SUCCEEDED",
    "attempts": 2,
    "last_error": "first try",
}


# Today's messages with canned answers: what is under test is what crosses the wire.
async def submit(request: pb.SubmitJobRequest, _: object) -> pb.SubmitJobResponse:
    assert request.job == pb.Job(type="noop", priority=pb.PRIORITY_HIGH, payload_json="[1]", max_attempts=4)
    return pb.SubmitJobResponse(job_id="a", created=True)


async def get(_: pb.GetJobRequest, __: object) -> pb.JobStatus:
    return STATUS


async def watch(request: pb.WatchJobRequest, _: object) -> AsyncIterator[pb.JobEvent]:
    yield pb.JobEvent(job_id=request.job_id, state=pb.JOB_STATE_RUNNING, version=2, progress=5.0)
    yield pb.JobEvent(job_id=request.job_id, state=pb.JOB_STATE_CANCELLED, version=3)


async def cancel(request: pb.CancelJobRequest, _: object) -> pb.CancelJobResponse:
    return pb.CancelJobResponse(cancelled=request.job_id == "a")


async def list_jobs(request: pb.ListJobsRequest, _: object) -> pb.ListJobsResponse:
    assert request == pb.ListJobsRequest(state_filter=pb.JOB_STATE_SUCCEEDED, page_size=1)
    return pb.ListJobsResponse(jobs=[STATUS], next_page_token="more")


def handlers() -> grpc.GenericRpcHandler:
    unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            "SubmitJob": unary(submit, pb.SubmitJobRequest.FromString, pb.SubmitJobResponse.SerializeToString),
            "GetJob": unary(get, pb.GetJobRequest.FromString, pb.JobStatus.SerializeToString),
            "WatchJob": stream(watch, pb.WatchJobRequest.FromString, pb.JobEvent.SerializeToString),
            "CancelJob": unary(cancel, pb.CancelJobRequest.FromString, pb.CancelJobResponse.SerializeToString),
            "ListJobs": unary(list_jobs, pb.ListJobsRequest.FromString, pb.ListJobsResponse.SerializeToString),
        },
    )


def as_an_old_client(use: Callable[[OriginalClient], Awaitable[T]]) -> T:
    async def serve() -> T:
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((handlers(),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                return await use(OriginalClient(channel))
        finally:
            await server.stop(None)

    return asyncio.run(serve())


def test_an_old_client_submits_a_job() -> None:
    job = {"type": "noop", "priority": "PRIORITY_HIGH", "payload_json": "[1]", "max_attempts": 4}
    assert as_an_old_client(lambda client: client.submit_job(**job)) == "a"


def test_an_old_client_reads_the_fields_it_knows_and_ignores_newer_ones() -> None:
    status = as_an_old_client(lambda client: client.get_job("a"))
    assert status == WHAT_THE_ORIGINAL_SEES


def test_an_old_client_sees_states_newer_than_itself_as_numbers() -> None:
    async def states(client: OriginalClient) -> list[object]:
        return [event["state"] async for event in client.watch_job("a")]

    assert as_an_old_client(states) == ["JOB_STATE_RUNNING", pb.JOB_STATE_CANCELLED]


def test_an_old_client_cancels_a_job() -> None:
    assert as_an_old_client(lambda client: client.cancel_job("a")) is True
    assert as_an_old_client(lambda client: client.cancel_job("b")) is False


def test_an_old_client_lists_jobs() -> None:
    page = as_an_old_client(lambda client: client.list_jobs(state_filter="JOB_STATE_SUCCEEDED", page_size=1))
    assert page == {"jobs": [WHAT_THE_ORIGINAL_SEES], "next_page_token": "more"}


def test_an_old_client_has_no_newer_fields() -> None:
    with pytest.raises(ParseError, match="labels"):
        original_message("Job", {"labels": {"team": "mail"}})


def test_an_old_client_reads_the_times_of_a_job() -> None:
    status = original_message("JobStatus", {"created_at": "2026-01-02T03:04:05.000006Z"})
    assert original_fields(status)["created_at"] == "2026-01-02T03:04:05.000006Z"
    assert pb.JobStatus.FromString(status.SerializeToString()).created_at.nanos == 6_000
