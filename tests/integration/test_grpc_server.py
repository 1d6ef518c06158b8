import asyncio
import socket
import sysconfig
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import grpc.aio
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from scheduler.adapters.grpc.pb import scheduler_pb2 as pb
from scheduler.adapters.grpc.server import ApiServer, ServerOptions
from scheduler.application.errors import PortInUseError
from tests.integration.grpc_tools import Api, details, over_loopback, refusal, submitted, until
from tests.support.original_client import OriginalClient

BUF = Path(sysconfig.get_path("scripts"), "buf")
SERVICES = ("", "scheduler.v1.SchedulerService")


@asynccontextmanager
async def another(api: Api, **options: object) -> AsyncIterator[ApiServer]:
    """Serve the same store on one more port."""
    server = api.server(ServerOptions(**{"port": 0, **options}))  # type: ignore[arg-type] # a test's own options
    try:
        yield server
    finally:
        await server.stop(0)


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
async def test_a_client_of_the_original_submits_reads_watches_lists_and_cancels(api: Api) -> None:
    client = OriginalClient(api.channel)
    first = await client.submit_job(type="email.send", priority="PRIORITY_HIGH", payload_json="{}", max_attempts=2)
    second = await client.submit_job(type="other", priority="PRIORITY_LOW", idempotency_key="k")
    assert await client.submit_job(type="other", priority="PRIORITY_LOW", idempotency_key="k") == second
    status = await client.get_job(first)
    page = await client.list_jobs(page_size=1, type_filter="other")
    events = client.watch_job(first)
    begin = await anext(events)
    await api.start(first)
    running = await anext(events)
    await api.succeed(first)
    last = await anext(events)
    assert [event async for event in events] == []
    assert (status["state"], status["attempts"]) == ("JOB_STATE_QUEUED", 0)
    assert [job["job_id"] for job in page["jobs"]] == [second]  # type: ignore[attr-defined] # JSON
    assert [event["state"] for event in (begin, running, last)] == [
        "JOB_STATE_QUEUED",
        "JOB_STATE_RUNNING",
        "JOB_STATE_SUCCEEDED",
    ]
    assert (await client.cancel_job(second), await client.cancel_job(first)) == (True, False)
    assert (await client.get_job(second))["state"] == 6


@over_loopback
async def test_a_client_of_the_original_is_refused_as_it_knows_it(api: Api) -> None:
    client = OriginalClient(api.channel)
    assert (await refusal(client.submit_job(type="a"))).code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (await refusal(client.get_job("42"))).code() is grpc.StatusCode.INVALID_ARGUMENT


@over_loopback
async def test_buf_curl_finds_the_services_by_reflection(api: Api) -> None:
    listed = await buf_curl(api, "--list-services", "")
    assert set(listed.split()) == {
        "scheduler.v1.SchedulerService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }


@over_loopback
async def test_buf_curl_calls_a_method_it_only_knows_by_reflection(api: Api) -> None:
    answer = await buf_curl(api, "--data", '{"job": {"type": "noop", "priority": "PRIORITY_LOW"}}', "/SubmitJob")
    assert '"created":true' in answer.replace(" ", "")


async def buf_curl(api: Api, *arguments: str) -> str:
    *options, method = arguments
    path = f"/scheduler.v1.SchedulerService{method}" if method else ""
    command = [
        str(BUF),
        "curl",
        "--protocol",
        "grpc",
        "--http2-prior-knowledge",
        *options,
        f"http://{api.address}{path}",
    ]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    return output


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
            assert error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
            assert not stop.done()
            api.gate.open()
            await stop
            assert (await api.job(job_id)).version == 2

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


@over_loopback
async def test_a_port_in_use_is_named(api: Api) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with another(api, port=port) as server:
            with pytest.raises(PortInUseError) as caught:
                await server.start()
            assert caught.value.port == port


@over_loopback
async def test_two_servers_of_ours_do_not_share_a_port_unless_told_to(api: Api) -> None:
    async with another(api, port=api.port) as server:
        with pytest.raises(PortInUseError):
            await server.start()
    async with another(api, share_port=True) as first, another(api, share_port=True) as second:
        port = await first.start()
        async with another(api, port=port, share_port=True) as sharing:
            assert await sharing.start() == port
        assert await second.start() != port


@over_loopback
async def test_an_address_that_is_not_ours_is_an_error_of_the_system(api: Api) -> None:
    async with another(api, host="192.0.2.1") as server:
        with pytest.raises(OSError, match="assign"):
            await server.start()


@over_loopback
async def test_an_unforeseen_error_shows_the_client_a_correlation_id_and_no_more(api: Api) -> None:
    async def broken(*_: object) -> None:
        raise ValueError("password=hunter2")

    api.store.repository.load_details = broken  # type: ignore[assignment,method-assign] # a bug, for once
    error = await refusal(api.stub.GetJob(pb.GetJobRequest(job_id="3f2b8c1e-0d4a-4c6b-9a7e-1f2d3c4b5a69")))
    ((event, logged),) = api.telemetry.faults
    assert error.code() is grpc.StatusCode.INTERNAL
    assert details(error, ErrorInfo).metadata["correlation_id"] in str(logged)
    assert "hunter2" not in str(error)
    assert event == "rpc_failed"
    assert api.rpcs.ended == [("GetJob", "INTERNAL")]


@over_loopback
async def test_a_call_that_is_cancelled_from_inside_leaves_no_client_without_a_status(api: Api) -> None:
    async def cancelled(*_: object) -> None:
        raise asyncio.CancelledError

    api.store.repository.load_details = cancelled  # type: ignore[assignment,method-assign] # a bug, for once
    error = await refusal(api.stub.GetJob(pb.GetJobRequest(job_id="3f2b8c1e-0d4a-4c6b-9a7e-1f2d3c4b5a69")))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert [event for event, _ in api.telemetry.faults] == ["rpc_cancelled_inside"]


@over_loopback
async def test_a_method_that_does_not_exist_is_unimplemented(api: Api) -> None:
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = api.channel.unary_unary(
        "/scheduler.v1.SchedulerService/Nothing"
    )
    assert (await refusal(call(b""))).code() is grpc.StatusCode.UNIMPLEMENTED
    assert api.rpcs.ended == []


@pytest.mark.parametrize("method", ["SubmitJob", "WatchJob"])
@pytest.mark.parametrize("data", [b"\xff\xff\xff", b"\x0a\x02\xc3\x28"])
@over_loopback
async def test_bytes_that_are_no_request_are_refused(api: Api, method: str, data: bytes) -> None:
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = api.channel.unary_unary(
        f"/scheduler.v1.SchedulerService/{method}"
    )
    error = await refusal(call(data))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert details(error, ErrorInfo).reason == "MALFORMED_REQUEST"
    assert "protobuf" not in (error.details() or "")
    assert api.rpcs.ended == [(method, "INVALID_ARGUMENT")]
