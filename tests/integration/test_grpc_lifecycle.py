import asyncio
from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from scheduler.adapters.grpc.pb import scheduler_pb2 as pb
from tests.integration.grpc_refusals import details, refusal
from tests.integration.grpc_tools import FIRST, Api, another, over_loopback, submitted, until

SERVICES = ("", "scheduler.v1.SchedulerService")


async def health(api: Api, service: str) -> int:
    check = api.channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=HealthCheckRequest.SerializeToString,
        response_deserializer=HealthCheckResponse.FromString,
    )
    response = await check(HealthCheckRequest(service=service))
    return response.status


def health_changes(api: Api, service: str = "") -> AsyncIterator[HealthCheckResponse]:
    watch = api.channel.unary_stream(
        "/grpc.health.v1.Health/Watch",
        request_serializer=HealthCheckRequest.SerializeToString,
        response_deserializer=HealthCheckResponse.FromString,
    )
    return aiter(watch(HealthCheckRequest(service=service)))


@over_loopback
async def test_health_is_not_serving_until_told_otherwise(api: Api) -> None:
    for service in SERVICES:
        assert await health(api, service) == HealthCheckResponse.NOT_SERVING


@over_loopback
async def test_health_of_an_unknown_service_is_unknown(api: Api) -> None:
    assert (await refusal(health(api, "nothing"))).code() is grpc.StatusCode.NOT_FOUND
    changes = health_changes(api, "nothing")
    assert (await anext(changes)).status == HealthCheckResponse.SERVICE_UNKNOWN


def test_health_follows_the_server() -> None:
    async def scenario() -> None:
        api = Api()
        async with api.served() as server:
            for is_serving, status in ((True, HealthCheckResponse.SERVING), (False, HealthCheckResponse.NOT_SERVING)):
                server.set_serving(is_serving=is_serving)
                assert [await health(api, service) for service in SERVICES] == [status, status]
            server.set_serving(is_serving=True)
            server.announce_stop()
            server.set_serving(is_serving=True)
            assert [await health(api, service) for service in SERVICES] == [HealthCheckResponse.NOT_SERVING] * 2
            assert await submitted(api)

    asyncio.run(scenario())


def test_a_stop_waits_for_calls_but_not_for_health_watches() -> None:
    async def scenario() -> None:
        api = Api()
        async with api.served() as server:
            server.set_serving(is_serving=True)
            job_id = await submitted(api)
            checks = health_changes(api)
            assert (await anext(checks)).status == HealthCheckResponse.SERVING
            api.gate.shut()
            call = asyncio.ensure_future(api.stub.CancelJob(pb.CancelJobRequest(job_id=job_id)))
            await until(lambda: api.gate.waiting == 1)
            stop = asyncio.create_task(server.stop(600))
            assert [check.status async for check in checks] == [HealthCheckResponse.NOT_SERVING]
            assert not stop.done()
            api.gate.open()
            assert (await call).cancelled
            async with asyncio.timeout(20):
                await stop

    asyncio.run(scenario())


def test_a_stop_ends_watches_at_once_and_tells_them_to_go_on_elsewhere() -> None:
    async def scenario() -> None:
        api = Api()
        async with api.served() as server:
            watch = aiter(api.stub.WatchJob(pb.WatchJobRequest(job_id=await submitted(api))))
            await anext(watch)
            stop = asyncio.create_task(server.stop(600))
            error = await refusal(anext(watch))
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            assert details(error, RetryInfo).HasField("retry_delay")
            await stop

    asyncio.run(scenario())


def test_a_stop_aborts_calls_after_its_grace_but_lets_mutations_end() -> None:
    async def scenario() -> None:
        api = Api()
        async with api.served() as server:
            job_id = await submitted(api)
            api.gate.shut()
            call = asyncio.ensure_future(api.stub.CancelJob(pb.CancelJobRequest(job_id=job_id)))
            await until(lambda: api.gate.waiting == 1)
            stop = asyncio.create_task(server.stop(0.05))
            error = await refusal(call)
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            assert details(error, RetryInfo).HasField("retry_delay")
            assert not stop.done()
            api.gate.open()
            await stop
            assert (await api.job(job_id)).version == FIRST + 1

    asyncio.run(scenario())


def test_a_second_stop_waits_for_the_first_and_cuts_nothing_short() -> None:
    async def scenario() -> None:
        api = Api()
        async with api.served() as server:
            job_id = await submitted(api)
            api.gate.shut()
            call = asyncio.ensure_future(api.stub.CancelJob(pb.CancelJobRequest(job_id=job_id)))
            await until(lambda: api.gate.waiting == 1)
            stops = [asyncio.create_task(server.stop(grace)) for grace in (600, 0)]
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await asyncio.wait([call, *stops], return_when=asyncio.FIRST_COMPLETED)
            api.gate.open()
            assert (await call).cancelled
            await asyncio.gather(*stops)

    asyncio.run(scenario())


@over_loopback
async def test_two_stops_at_once_are_one(api: Api) -> None:
    async with another(api) as server:
        await server.start()
        await asyncio.gather(server.stop(0), server.stop(0), server.stop(5))
        await server.stop(0)


@over_loopback
async def test_a_server_that_never_started_can_be_stopped(api: Api) -> None:
    async with another(api) as server:
        await server.stop(5)
