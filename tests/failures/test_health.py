"""What operators, orchestrators and balancers are told while a server is away."""

from collections.abc import Mapping

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from tests.acceptance.operations import get
from tests.chaos.fleet import await_all_ready
from tests.chaos.part import Part
from tests.failures.tools import Scene

pytestmark = pytest.mark.servers
SERVICES = ("", "scheduler.v1.SchedulerService")


def grpc_says(scene: Scene) -> set[int]:
    """Ask for the whole server and for its service."""
    with grpc.insecure_channel(scene.fleet.address) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=HealthCheckRequest.SerializeToString,
            response_deserializer=HealthCheckResponse.FromString,
        )
        return {check(HealthCheckRequest(service=name), timeout=10).status for name in SERVICES}


def ready(part: Part) -> tuple[int, object, Mapping[str, bool]]:
    """Return the status, whether it is degraded, and which dependencies are well; each has a latency."""
    answer = get(part.metrics_port, "/ready")
    found = answer.document["dependencies"]
    assert isinstance(found, list)
    assert all(dependency["latency_ms"] >= 0 for dependency in found)
    return answer.status, answer.document["degraded"], {entry["name"]: entry["ok"] for entry in found}


def test_an_outage_makes_no_process_unhealthy_and_grpc_health_says_what_ready_says(scene: Scene) -> None:
    api, reaper = scene.part("api"), scene.part("reaper")
    with scene.fleet.running("worker", "watched") as worker:
        parts = [api, worker, reaper]
        await_all_ready(parts)

        def all_say(status: int, *, degraded: bool, store: bool, redis: bool) -> bool:
            expected = (status, degraded, {"store": store, "redis": redis})
            return all(ready(part) == expected for part in parts)

        scene.until(lambda: all_say(200, degraded=False, store=True, redis=True))
        scene.until(lambda: grpc_says(scene) == {HealthCheckResponse.SERVING})

        scene.fleet.valkey.kill()
        scene.until(lambda: all_say(200, degraded=True, store=True, redis=False))
        assert grpc_says(scene) == {HealthCheckResponse.SERVING}

        scene.fleet.postgres.kill()
        scene.until(lambda: all_say(503, degraded=True, store=False, redis=False))
        scene.until(lambda: grpc_says(scene) == {HealthCheckResponse.NOT_SERVING})
        assert [get(part.metrics_port, "/health").status for part in parts] == [200] * 3

        scene.fleet.postgres.start()
        scene.fleet.valkey.start()
        scene.until(lambda: all_say(200, degraded=False, store=True, redis=True))
        scene.until(lambda: grpc_says(scene) == {HealthCheckResponse.SERVING})
