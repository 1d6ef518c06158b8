"""What a call leaves behind when it ends: nothing that waits for the garbage collector."""

import asyncio
import gc
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

import grpc.aio
import pytest

from scheduler.adapters.grpc.client import SchedulerClient
from scheduler.adapters.grpc.client_errors import ClientError
from scheduler.adapters.grpc.pb import scheduler_pb2 as pb
from tests.integration.grpc_tools import Api, a_job_message, over_loopback

CALLS = 5
Call = Callable[[Api], Awaitable[object]]

UNKNOWN = str(uuid4())
REFUSED: dict[str, Call] = {
    "SubmitJob": lambda api: api.stub.SubmitJob(pb.SubmitJobRequest(job=a_job_message(payload_json="no JSON"))),
    "SubmitJobs": lambda api: api.stub.SubmitJobs(pb.SubmitJobsRequest(jobs=[a_job_message(), pb.Job()])),
    "GetJob": lambda api: api.stub.GetJob(pb.GetJobRequest(job_id=UNKNOWN)),
    "WatchJob": lambda api: _all(api.stub.WatchJob(pb.WatchJobRequest(job_id=UNKNOWN))),
    "CancelJob": lambda api: api.stub.CancelJob(pb.CancelJobRequest(job_id=UNKNOWN)),
    "ListJobs": lambda api: api.stub.ListJobs(pb.ListJobsRequest(page_token="bad")),
    "RequeueJob": lambda api: api.stub.RequeueJob(pb.RequeueJobRequest(job_id=UNKNOWN)),
    "RequeueJobs": lambda api: api.stub.RequeueJobs(pb.RequeueJobsRequest()),
    "PurgeJobs": lambda api: api.stub.PurgeJobs(pb.PurgeJobsRequest(filter=pb.JobFilter(type_filter="\0"))),
    "ListErrorGroups": lambda api: api.stub.ListErrorGroups(pb.ListErrorGroupsRequest(limit=-1)),
    "ListAttempts": lambda api: api.stub.ListAttempts(pb.ListAttemptsRequest(job_id=UNKNOWN)),
}


async def _all(stream: object) -> None:
    async for _ in stream:  # type: ignore[attr-defined] # a call of a generated stub
        pass


@contextmanager
def collector_off() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def exceptions() -> Counter[str]:
    return Counter(type(thing).__name__ for thing in gc.get_objects() if isinstance(thing, BaseException))


async def left_by(api: Api, call: Callable[[], Awaitable[object]]) -> Counter[str]:
    """Return the exceptions that stay after some calls, beyond those that stay after the first."""
    await call()
    api.telemetry.faults.clear()
    with collector_off():
        before = exceptions()
        for _ in range(CALLS):
            await call()
        await asyncio.sleep(0.05)
        api.telemetry.faults.clear()
        return exceptions() - before


@pytest.mark.parametrize("method", REFUSED)
@over_loopback
async def test_a_refused_call_leaves_no_garbage(api: Api, method: str) -> None:
    async def refused() -> None:
        with pytest.raises(grpc.aio.AioRpcError):
            await REFUSED[method](api)

    assert not await left_by(api, refused)


@pytest.mark.parametrize("method", REFUSED)
@over_loopback
async def test_a_call_leaves_no_garbage_when_the_store_is_away(api: Api, method: str) -> None:
    async def unavailable() -> None:
        with pytest.raises(grpc.aio.AioRpcError):
            await REFUSED[method](api)

    api.store_switch.off()
    assert not await left_by(api, unavailable)


@over_loopback
async def test_a_client_that_is_refused_keeps_no_garbage(api: Api) -> None:
    async with SchedulerClient(api.address) as client:

        async def get() -> None:
            with pytest.raises(ClientError):
                await client.get(UNKNOWN)

        async def watch() -> None:
            with pytest.raises(ClientError):
                await _all(client.watch(UNKNOWN))

        assert not await left_by(api, get)
        assert not await left_by(api, watch)
