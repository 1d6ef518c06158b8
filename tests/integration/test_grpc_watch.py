import asyncio
import uuid
from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest
from google.rpc.error_details_pb2 import RetryInfo

from scheduler.adapters.grpc.pb import scheduler_pb2 as pb
from scheduler.application import watch_hub
from tests.integration.grpc_refusals import bad_fields, details, refusal
from tests.integration.grpc_tools import FIRST, Api, over_loopback, submitted, until

Stream = grpc.aio.UnaryStreamCall[pb.WatchJobRequest, pb.JobEvent]


def watch(api: Api, job_id: str, after_version: int = 0) -> Stream:
    return api.stub.WatchJob(pb.WatchJobRequest(job_id=job_id, after_version=after_version))


async def event_of(stream: Stream) -> pb.JobEvent:
    return await anext(aiter(stream))


async def all_of(stream: AsyncIterator[pb.JobEvent]) -> list[pb.JobEvent]:
    return [event async for event in stream]


async def refusal_of(stream: Stream) -> grpc.aio.AioRpcError:
    return await refusal(all_of(aiter(stream)))


@over_loopback
async def test_a_watch_shows_the_current_state_at_once_then_each_change_and_ends_with_the_last(api: Api) -> None:
    job_id = await submitted(api)
    stream = watch(api, job_id)
    events = [await event_of(stream)]
    await api.start(job_id)
    events.append(await event_of(stream))
    await api.fail(job_id)
    events.append(await event_of(stream))
    await api.stub.CancelJob(pb.CancelJobRequest(job_id=job_id))
    events += await all_of(aiter(stream))
    assert [(event.version, event.state, event.message, event.last_error) for event in events] == [
        (FIRST, pb.JOB_STATE_QUEUED, "queued", ""),
        (FIRST + 1, pb.JOB_STATE_RUNNING, "running, attempt 1 of 3", ""),
        (FIRST + 2, pb.JOB_STATE_RETRYING, "retrying at 2026-01-01 00:00:01 UTC after attempt 1 of 3", "broken"),
        (FIRST + 3, pb.JOB_STATE_CANCELLED, "cancelled", "broken"),
    ]
    assert {event.job_id for event in events} == {job_id}
    assert await stream.code() is grpc.StatusCode.OK
    await until(lambda: ("WatchJob", "OK") in api.rpcs.ended)


@over_loopback
async def test_progress_is_shown_under_the_version_that_runs(api: Api) -> None:
    job_id = await submitted(api)
    await api.start(job_id)
    stream = watch(api, job_id)
    events = [await event_of(stream)]
    for percent, message in ((10, "reading"), (60, "writing")):
        await api.progress(job_id, percent, message)
        events.append(await event_of(stream))
    await api.succeed(job_id)
    events += await all_of(aiter(stream))
    assert [(event.version, event.message, event.progress, event.progress_message) for event in events] == [
        (FIRST + 1, "running, attempt 1 of 3", 0.0, ""),
        (FIRST + 1, "running, attempt 1 of 3, 10 %: reading", 10.0, "reading"),
        (FIRST + 1, "running, attempt 1 of 3, 60 %: writing", 60.0, "writing"),
        (FIRST + 2, "succeeded, attempt 1 of 3", 0.0, ""),
    ]


@over_loopback
async def test_a_watch_goes_on_after_the_version_it_was_told(api: Api) -> None:
    job_id = await submitted(api)
    stream = watch(api, job_id, after_version=FIRST)
    await until(lambda: api.hub._count == 1)  # noqa: SLF001 - the stream has begun, though nothing can be read yet
    await api.start(job_id)
    assert (await event_of(stream)).version == FIRST + 1
    await api.succeed(job_id)
    assert [event.version for event in await all_of(aiter(stream))] == [FIRST + 2]


@over_loopback
async def test_a_watch_after_the_last_version_ends_without_an_event(api: Api) -> None:
    job_id = await submitted(api)
    await api.stub.CancelJob(pb.CancelJobRequest(job_id=job_id))
    assert [event.version for event in await all_of(aiter(watch(api, job_id)))] == [FIRST + 1]
    assert await all_of(aiter(watch(api, job_id, after_version=FIRST + 1))) == []


@pytest.mark.parametrize("after_version", [-1, FIRST + 1])
@over_loopback
async def test_a_watch_after_a_version_that_does_not_exist_is_refused(api: Api, after_version: int) -> None:
    error = await refusal_of(watch(api, await submitted(api), after_version=after_version))
    assert bad_fields(error) == ["after_version"]


@over_loopback
async def test_a_watch_of_no_uuid_or_no_job_is_refused(api: Api) -> None:
    assert bad_fields(await refusal_of(watch(api, "42"))) == ["job_id"]
    assert (await refusal_of(watch(api, str(uuid.uuid4())))).code() is grpc.StatusCode.NOT_FOUND
    assert api.rpcs.ended == [("WatchJob", "INVALID_ARGUMENT"), ("WatchJob", "NOT_FOUND")]


@over_loopback
async def test_a_watch_without_the_store_is_unavailable(api: Api) -> None:
    job_id = await submitted(api)
    api.store_switch.off()
    error = await refusal_of(watch(api, job_id))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert details(error, RetryInfo).HasField("retry_delay")


@pytest.fixture
def one_watcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_hub, "MAX_WATCHERS", 1)


@pytest.mark.usefixtures("one_watcher")
@over_loopback
async def test_one_watch_too_many_is_refused_until_another_ends(api: Api) -> None:
    job_id = await submitted(api)
    first = watch(api, job_id)
    await event_of(first)
    error = await refusal_of(watch(api, job_id))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert details(error, RetryInfo).HasField("retry_delay")
    first.cancel()
    await until(lambda: ("WatchJob", "CANCELLED") in api.rpcs.ended)
    assert (await event_of(watch(api, job_id))).version == FIRST


@pytest.mark.usefixtures("one_watcher")
@over_loopback
async def test_a_watch_whose_time_is_over_frees_its_place(api: Api) -> None:
    job_id = await submitted(api)
    stream = api.stub.WatchJob(pb.WatchJobRequest(job_id=job_id), timeout=1)
    assert (await event_of(stream)).version == FIRST
    error = await refusal_of(stream)
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await until(lambda: api.rpcs.gave_up("WatchJob"))
    assert (await event_of(watch(api, job_id))).version == FIRST


@over_loopback
async def test_a_stop_ends_watches_with_a_status_that_asks_to_go_on_elsewhere(api: Api) -> None:
    job_id = await submitted(api)
    stream = watch(api, job_id)
    await event_of(stream)
    api.hub.stop()
    error = await refusal_of(stream)
    late = await refusal_of(watch(api, job_id))
    for refused in (error, late):
        assert refused.code() is grpc.StatusCode.UNAVAILABLE
        assert details(refused, RetryInfo).HasField("retry_delay")


@over_loopback
async def test_many_watchers_of_one_job_all_see_its_end(api: Api) -> None:
    job_id = await submitted(api)
    streams = [watch(api, job_id) for _ in range(50)]
    for stream in streams:
        await event_of(stream)
    await api.start(job_id)
    await api.succeed(job_id)
    events = await asyncio.gather(*(all_of(aiter(stream)) for stream in streams))
    assert {seen[-1].state for seen in events} == {pb.JOB_STATE_SUCCEEDED}
