"""Running processes answer the probes of the manifests, asked as a kubelet asks them."""

from collections.abc import Callable, Mapping

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from scheduler.entrypoints.stack import HOST, Stack
from tests.acceptance.operations import await_ready, eventually, get
from tests.acceptance.processes import keep_running
from tests.deploy.manifests import PROCESSES, Manifest, container, render

pytestmark = pytest.mark.servers
KINDS = ("startupProbe", "livenessProbe", "readinessProbe")
CALL_SECONDS = 5.0


@pytest.fixture
def metrics_ports(stack: Stack) -> Mapping[str, int]:
    keep_running(stack.worker)
    found = {
        "api": stack.ports.api_metrics,
        "worker": stack.ports.worker_metrics,
        "reaper": stack.ports.reaper_metrics,
    }
    for port in found.values():
        await_ready(port)
    return found


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_passes_its_probes(process: str, stack: Stack, metrics_ports: Mapping[str, int]) -> None:
    def passes(probe: Manifest) -> Callable[[], bool]:
        if "grpc" in probe:
            return lambda: _serves(stack.ports.grpc, probe["grpc"]["service"])
        return lambda: get(metrics_ports[process], probe["httpGet"]["path"]).status == 200

    only = container(render("production").one("Deployment", f"scheduler-{process}"))
    for kind in KINDS:
        eventually(passes(only[kind]))


def _serves(port: int, service: str) -> bool:
    with grpc.insecure_channel(f"{HOST}:{port}") as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=HealthCheckRequest.SerializeToString,
            response_deserializer=HealthCheckResponse.FromString,
        )
        answer = check(HealthCheckRequest(service=service), timeout=CALL_SECONDS)
    return bool(answer.status == HealthCheckResponse.SERVING)
