import asyncio
import os
import socket
import sys
import sysconfig
from pathlib import Path

import grpc
import grpc.aio
import pytest
from google.rpc.error_details_pb2 import ErrorInfo

from scheduler.adapters.embedded.ports import free_port
from scheduler.adapters.grpc.pb import scheduler_pb2 as pb
from scheduler.application.errors import PortInUseError
from tests.integration.grpc_refusals import details, refusal
from tests.integration.grpc_tools import Api, another, over_loopback
from tests.support.original_client import OriginalClient

BUF = Path(sysconfig.get_path("scripts"), "buf")


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
async def test_a_port_in_use_is_told_by_us_alone(api: Api) -> None:
    command = [sys.executable, "-m", "scheduler.entrypoints.cli", "up", "--backend", "memory"]
    process = await asyncio.create_subprocess_exec(
        *command,
        f"--grpc-port={api.port}",
        f"--metrics-port={free_port()}",
        env={**os.environ, "LOG_LEVEL": "CRITICAL"},
        stderr=asyncio.subprocess.PIPE,
    )
    assert (await process.communicate())[1].decode() == f"scheduler: port {api.port} is already in use\n"
    assert process.returncode == 1


@over_loopback
async def test_of_many_calls_at_once_none_is_dropped(api: Api) -> None:
    async def watched(job_id: str) -> list[int]:
        return [event.state async for event in api.stub.WatchJob(pb.WatchJobRequest(job_id=job_id))]

    job = pb.Job(type="noop", priority=pb.PRIORITY_LOW)
    job_id = (await api.stub.SubmitJob(pb.SubmitJobRequest(job=job))).job_id
    await api.stub.CancelJob(pb.CancelJobRequest(job_id=job_id))
    assert await asyncio.gather(*[watched(job_id) for _ in range(4_000)]) == [[pb.JOB_STATE_CANCELLED]] * 4_000


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
    async def cancelled(*_: object, **__: object) -> None:
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
