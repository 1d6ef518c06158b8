"""One greedy client of each kind, and another one that goes on."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import grpc
import grpc.aio
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from scheduler.adapters.grpc import answers, arrivals, mutations, server
from scheduler.adapters.grpc.pb import scheduler_pb2 as pb
from scheduler.adapters.grpc.pb.scheduler_pb2_grpc import SchedulerServiceStub
from scheduler.adapters.grpc.server import ApiServer
from scheduler.adapters.grpc.servicer import SERVICE
from tests.integration.grpc_tools import Api, another, over_loopback, submitted, until
from tests.integration.http2_peer import http2_peer
from tests.support.backends import eventually

MIB = 1024 * 1024
EVERYWHERE = "::"


@asynccontextmanager
async def two_hosts(api: Api, **options: object) -> AsyncIterator[tuple[grpc.aio.Channel, grpc.aio.Channel]]:
    """Serve on all addresses, and connect from two that count as two hosts."""
    async with another(api, host=EVERYWHERE, **options) as served:
        port = await served.start()
        async with (
            grpc.aio.insecure_channel(f"127.0.0.1:{port}") as greedy,
            grpc.aio.insecure_channel(f"[::1]:{port}") as modest,
        ):
            yield greedy, modest


async def status_of(stream: object) -> grpc.StatusCode | None:
    """Return what ends a stream before its first answer, None for nothing."""
    try:
        await stream.read()  # type: ignore[attr-defined] # of grpc.aio
    except grpc.aio.AioRpcError as error:
        return error.code()
    return None


def health_watch(channel: grpc.aio.Channel) -> object:
    return channel.unary_stream(
        "/grpc.health.v1.Health/Watch",
        request_serializer=HealthCheckRequest.SerializeToString,
        response_deserializer=HealthCheckResponse.FromString,
    )(HealthCheckRequest())


@over_loopback
async def test_one_hosts_health_streams_leave_room_for_others(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_HEALTH_STREAMS", 8)
    async with two_hosts(api) as (greedy, modest):
        opened = [health_watch(greedy) for _ in range(8)]
        ended = Counter([await status_of(stream) for stream in opened])
        assert ended == {None: 4, grpc.StatusCode.RESOURCE_EXHAUSTED: 4}
        assert await status_of(health_watch(modest)) is None
        check = greedy.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=HealthCheckRequest.SerializeToString,
            response_deserializer=HealthCheckResponse.FromString,
        )
        assert (await check(HealthCheckRequest())).status == HealthCheckResponse.NOT_SERVING
        assert api.rpcs.caps == ["health streams"] * 4
        del opened
    async with two_hosts(api) as (greedy, _):
        assert await status_of(health_watch(greedy)) is None


@over_loopback
async def test_a_health_stream_that_ends_makes_room(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_HEALTH_STREAMS", 2)
    async with two_hosts(api) as (channel, _):
        first = health_watch(channel)
        assert await status_of(first) is None
        assert await status_of(health_watch(channel)) is grpc.StatusCode.RESOURCE_EXHAUSTED
        first.cancel()  # type: ignore[attr-defined] # of grpc.aio

        async def is_served() -> bool:
            return await status_of(health_watch(channel)) is None

        await eventually(is_served, "there is room again")


@over_loopback
async def test_one_hosts_reflection_streams_leave_room_for_others(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def reflected(channel: grpc.aio.Channel) -> grpc.StatusCode | None:
        call = channel.stream_stream(
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            request_serializer=ServerReflectionRequest.SerializeToString,
            response_deserializer=ServerReflectionResponse.FromString,
        )()
        try:
            await call.write(ServerReflectionRequest(list_services=""))
        except asyncio.InvalidStateError:
            return grpc.StatusCode(await call.code())
        calls.append(call)
        return await status_of(call)

    calls: list[object] = []
    monkeypatch.setattr(server, "MAX_REFLECTION_STREAMS", 4)
    async with two_hosts(api) as (greedy, modest):
        ended = [await reflected(greedy) for _ in range(3)]
        assert ended == [None, None, grpc.StatusCode.RESOURCE_EXHAUSTED]
        assert await reflected(modest) is None


@over_loopback
async def test_one_hosts_watches_leave_room_for_others(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_WATCHERS", 4)
    request = pb.WatchJobRequest(job_id=await submitted(api))
    async with two_hosts(api) as (greedy, modest):
        streams = [SchedulerServiceStub(greedy).WatchJob(request) for _ in range(3)]
        ended = Counter([await status_of(stream) for stream in streams])
        assert ended == {None: 2, grpc.StatusCode.RESOURCE_EXHAUSTED: 1}
        assert await status_of(SchedulerServiceStub(modest).WatchJob(request)) is None


async def large_job(api: Api) -> bytes:
    job_id = await submitted(api, payload_json=f'"{"x" * (MIB - 2)}"')
    return pb.GetJobRequest(job_id=job_id).SerializeToString()


@over_loopback
async def test_answers_that_one_client_does_not_read_are_bounded(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MAX_UNREAD_BYTES", 7 * MIB)
    request = await large_job(api)
    async with two_hosts(api) as (_, modest), another(api) as served, http2_peer(await served.start()) as peer:
        streams = [peer.open(f"/{SERVICE}/GetJob", request) for _ in range(10)]
        await until(lambda: len(peer.statuses) == 7)
        assert set(peer.statuses.values()) == {str(grpc.StatusCode.RESOURCE_EXHAUSTED.value[0])}
        assert api.rpcs.caps == ["unread answers"] * 7
        assert len(streams) - len(peer.statuses) == 3
        job = await SchedulerServiceStub(modest).GetJob(pb.GetJobRequest.FromString(request))
        assert len(job.payload_json) == MIB


@over_loopback
async def test_a_client_that_never_reads_its_answer_is_hung_up_on(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "READ_SECONDS", 0.2)
    request = await large_job(api)
    async with another(api) as served:
        port = await served.start()
        async with (
            http2_peer(port) as peer,
            http2_peer(port) as other,
            grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
        ):
            peer.open(f"/{SERVICE}/GetJob", request)
            await until(lambda: peer.is_closed)
            job = await SchedulerServiceStub(channel).GetJob(pb.GetJobRequest.FromString(request))
            assert len(job.payload_json) == MIB
            assert not other.is_closed
    assert api.rpcs.caps == ["unread answers in time"]


@over_loopback
async def test_calls_without_a_request_give_their_places_up(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "ARRIVAL_SECONDS", 0.1)
    async with another(api, max_calls=4) as served:
        port = await served.start()
        async with http2_peer(port) as peer, grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            for _ in range(4):
                peer.open(f"/{SERVICE}/GetQueueStats", None)
            await until(lambda: api.rpcs.caps == ["request arrival"] * 4)
            await SchedulerServiceStub(channel).GetQueueStats(pb.GetQueueStatsRequest())


@over_loopback
async def test_more_connections_than_allowed_are_refused_and_the_others_go_on(api: Api) -> None:
    async with another(api, max_connections=3) as served:
        port = await served.start()
        async with http2_peer(port) as first, http2_peer(port) as second:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                await SchedulerServiceStub(channel).GetQueueStats(pb.GetQueueStatsRequest())
                async with http2_peer(port) as refused:
                    await until(lambda: refused.is_closed)
                await SchedulerServiceStub(channel).GetQueueStats(pb.GetQueueStatsRequest())
            assert not first.is_closed
            assert not second.is_closed


async def closed_after_silence(served: ApiServer, first: bytes) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", await served.start())
    writer.write(first)
    while await reader.read(1000):
        pass
    writer.close()
    return True


@over_loopback
async def test_a_connection_that_says_nothing_is_closed(api: Api) -> None:
    async with another(api, handshake=timedelta(seconds=0.2)) as served:
        assert await closed_after_silence(served, b"")


@over_loopback
async def test_a_connection_without_calls_is_closed(api: Api) -> None:
    async with another(api, connection_idle=timedelta(seconds=0.2)) as served, http2_peer(await served.start()) as peer:
        await until(lambda: peer.is_closed)


@over_loopback
async def test_headers_that_are_too_large_are_refused(api: Api) -> None:
    large = [("x-large", "x" * server.MAX_METADATA_BYTES)]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await api.stub.GetQueueStats(pb.GetQueueStatsRequest(), metadata=large)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@over_loopback
async def test_mutations_whose_clients_are_gone_do_not_pile_up(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutations, "MAX_AT_ONCE", 3)
    request = pb.CancelJobRequest(job_id=await submitted(api))
    async with another(api) as served, http2_peer(await served.start()) as peer:
        api.gate.shut()
        streams = [peer.open(f"/{SERVICE}/CancelJob", request.SerializeToString()) for _ in range(10)]
        await until(lambda: api.gate.waiting == 3)
        for stream in streams:
            peer.reset(stream)
        # Of the others some may not even have arrived: a server may drop a call that is reset at once.
        await until(lambda: api.rpcs.abandoned == 3)
        assert api.gate.waiting == 3
        api.gate.open()
        await until(lambda: api.gate.waiting == 0)
