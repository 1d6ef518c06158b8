"""What common tools find out about the API without its contract: reflection and health."""

import asyncio
import subprocess
import sys
from pathlib import Path

import grpc.aio
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from scheduler.entrypoints.stack import Stack
from tests.acceptance.processes import keep_running

pytestmark = pytest.mark.servers
SERVICE = "scheduler.v1.SchedulerService"
BUF = Path(sys.executable).with_name("buf")


def _buf_curl(*arguments: str) -> str:
    command = [str(BUF), "curl", "--protocol", "grpc", "--http2-prior-knowledge", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def test_reflection_lists_the_services(stack: Stack) -> None:
    services = _buf_curl("--list-services", f"http://{stack.address}").split()

    assert {SERVICE, "grpc.health.v1.Health"} <= set(services)


def test_a_tool_calls_the_api_knowing_only_its_address(stack: Stack) -> None:
    keep_running(stack.worker)
    job = '{"job": {"type": "noop", "priority": "PRIORITY_LOW"}}'

    answer = _buf_curl("--data", job, f"http://{stack.address}/{SERVICE}/SubmitJob")

    assert '"jobId"' in answer
    assert '"created"' in answer


@pytest.mark.parametrize("service", ["", SERVICE])
def test_the_api_reports_that_it_serves(stack: Stack, service: str) -> None:
    async def check() -> int:
        async with grpc.aio.insecure_channel(stack.address) as channel:
            call = channel.unary_unary(
                "/grpc.health.v1.Health/Check",
                request_serializer=HealthCheckRequest.SerializeToString,
                response_deserializer=HealthCheckResponse.FromString,
            )
            return int((await call(HealthCheckRequest(service=service), timeout=10)).status)

    assert asyncio.run(check()) == HealthCheckResponse.SERVING
