"""What operators are told about Redis."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from scheduler.adapters.embedded import EmbeddedValkey
from tests.support.redis import RedisBackend, eventually, run_on

pytestmark = pytest.mark.servers


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    """Start a server that only this test breaks."""
    with EmbeddedValkey(tmp_path) as running:
        yield running


def test_health_tells_the_latency_or_the_reason_and_never_raises(server: EmbeddedValkey) -> None:
    async def scenario(redis: RedisBackend) -> None:
        good = await redis.health.check()
        assert (good.name, good.ok, good.required, good.detail) == ("redis", True, False, "")
        assert timedelta(0) < good.latency < timedelta(seconds=2)
        assert not await redis.raw.exists(redis.keys.health)

        server.stop()
        bad = await redis.health.check()
        assert (bad.ok, bad.required) == (False, False)
        assert "cannot be reached" in bad.detail

    run_on(server.url, scenario)


def test_health_alone_brings_an_idle_process_back(server: EmbeddedValkey) -> None:
    async def scenario(redis: RedisBackend) -> None:
        server.stop()
        await redis.health.check()
        assert redis.telemetry.degraded_parts == {"queue"}
        server.start()
        await eventually(lambda: is_healthy(redis))
        assert redis.telemetry.degraded_parts == set()

    run_on(server.url, scenario)


async def is_healthy(redis: RedisBackend) -> bool:
    return (await redis.health.check()).ok
