import asyncio
import errno
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import NamedTuple

import aiohttp
import pytest

from scheduler.adapters.http.progress import LoopProgress
from scheduler.adapters.http.server import OperationsServer
from scheduler.adapters.memory.fixed_clock import FixedClock
from scheduler.application.errors import PortInUseError
from scheduler.application.ports.health import Dependency, DependencyStatus
from scheduler.application.readiness import ReadinessCheck
from tests.support.builders import SECOND

HOST = "127.0.0.1"


class Part(Dependency):
    """A dependency as a test wants it."""

    def __init__(self, name: str, *, required: bool) -> None:
        self.ok = True
        self._name = name
        self._required = required

    async def check(self) -> DependencyStatus:
        latency = timedelta(milliseconds=1.5)
        detail = "" if self.ok else "refused"
        return DependencyStatus(name=self._name, ok=self.ok, required=self._required, latency=latency, detail=detail)


class Answer(NamedTuple):
    status: int
    content_type: str
    text: str

    def json(self) -> object:
        return json.loads(self.text)


class Served:
    """A server with two dependencies and one loop."""

    def __init__(self, *, port: int = 0, reuse_port: bool = False) -> None:
        self.clock = FixedClock()
        self.store = Part("store", required=True)
        self.queue = Part("queue", required=False)
        self.readiness = ReadinessCheck(dependencies=[self.store, self.queue], clock=self.clock)
        self.progress = LoopProgress(self.clock)
        self.render_thread: int | None = None
        self.server = OperationsServer(
            host=HOST,
            port=port,
            metrics=self._render,
            readiness=self.readiness,
            progress=self.progress,
            reuse_port=reuse_port,
        )

    async def get(self, path: str) -> Answer:
        address = f"http://{HOST}:{self.server.port}{path}"
        async with aiohttp.ClientSession() as session, session.get(address) as response:
            return Answer(response.status, response.headers["Content-Type"], await response.text())

    def _render(self) -> tuple[bytes, str]:
        self.render_thread = threading.get_ident()
        return b"up 1\n", "text/plain; version=0.0.4; charset=utf-8"


@asynccontextmanager
async def serving(*, port: int = 0, reuse_port: bool = False) -> AsyncIterator[Served]:
    served = Served(port=port, reuse_port=reuse_port)
    await served.server.start()
    try:
        yield served
    finally:
        await served.server.stop()


def ask(path: str, prepare: Callable[[Served], object] = lambda _: None) -> Answer:
    async def scenario() -> Answer:
        async with serving() as served:
            prepare(served)
            return await served.get(path)

    return asyncio.run(scenario())


def lose(part: Callable[[Served], Part]) -> Callable[[Served], None]:
    def prepare(served: Served) -> None:
        part(served).ok = False

    return prepare


def stick(served: Served) -> None:
    served.progress.register("claim", max_silence=SECOND)
    served.clock.advance(2 * SECOND)


def test_metrics_are_served_as_they_are_rendered() -> None:
    assert ask("/metrics") == (200, "text/plain; version=0.0.4; charset=utf-8", "up 1\n")


def test_metrics_are_rendered_beside_the_event_loop() -> None:
    async def scenario() -> None:
        async with serving() as served:
            await served.get("/metrics")
            assert served.render_thread not in {None, threading.get_ident()}

    asyncio.run(scenario())


def test_a_process_that_makes_progress_is_healthy() -> None:
    answer = ask("/health", lambda served: served.progress.register("claim", max_silence=SECOND))

    assert (answer.status, answer.json()) == (200, {"status": "ok"})


def test_a_stuck_loop_is_named() -> None:
    answer = ask("/health", stick)

    assert (answer.status, answer.json()) == (503, {"status": "stuck", "loops": ["claim"]})


def test_health_ignores_dependencies() -> None:
    assert ask("/health", lose(lambda served: served.store)).status == 200


def test_ready_reports_each_dependency() -> None:
    answer = ask("/ready")

    assert answer.status == 200
    assert answer.json() == {
        "ready": True,
        "degraded": False,
        "stopping": False,
        "dependencies": [
            {"name": "store", "ok": True, "required": True, "latency_ms": 1.5, "detail": ""},
            {"name": "queue", "ok": True, "required": False, "latency_ms": 1.5, "detail": ""},
        ],
    }


def test_without_the_queue_the_process_is_ready_and_degraded() -> None:
    answer = ask("/ready", lose(lambda served: served.queue))

    assert answer.status == 200
    assert '"ready": true, "degraded": true' in answer.text
    assert '"detail": "refused"' in answer.text


def test_without_the_store_the_process_is_not_ready() -> None:
    answer = ask("/ready", lose(lambda served: served.store))

    assert answer.status == 503
    assert '"ready": false' in answer.text


def test_a_process_that_stops_is_healthy_and_not_ready() -> None:
    async def scenario() -> None:
        async with serving() as served:
            served.readiness.withdraw()
            ready = await served.get("/ready")
            assert (ready.status, '"stopping": true' in ready.text) == (503, True)
            assert (await served.get("/health")).status == 200

    asyncio.run(scenario())


def test_nothing_else_is_served() -> None:
    assert ask("/").status == 404


def test_a_port_in_use_is_named() -> None:
    async def scenario() -> None:
        async with serving() as first:
            second = Served(port=first.server.port)
            with pytest.raises(PortInUseError, match=rf"^port {first.server.port} is already in use$"):
                await second.server.start()
            await second.server.stop()

    asyncio.run(scenario())


def test_another_reason_not_to_listen_is_not_called_a_port_in_use() -> None:
    async def scenario() -> None:
        served = Served()
        server = OperationsServer(
            host="192.0.2.1", port=0, metrics=lambda: (b"", ""), readiness=served.readiness, progress=served.progress
        )
        with pytest.raises(OSError, match=r"cannot serve on 192\.0\.2\.1:0: ") as caught:
            await server.start()
        assert caught.value.errno == errno.EADDRNOTAVAIL

    asyncio.run(scenario())


def test_clients_that_speak_no_http_are_no_news(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> bytes:
        async with serving() as served:
            reader, writer = await asyncio.open_connection(HOST, served.server.port)
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: two\r\nHost: hosts\r\nbad header\r\n\r\n")
            answer = await reader.read()
            writer.close()
            return answer

    assert asyncio.run(scenario()).split()[1] == b"400"
    assert not caplog.records


@pytest.mark.usefixtures("needs_reuse_port")
def test_processes_of_one_service_share_a_port() -> None:
    async def scenario() -> None:
        async with serving(reuse_port=True) as first, serving(port=first.server.port, reuse_port=True) as second:
            assert second.server.port == first.server.port

    asyncio.run(scenario())


@pytest.fixture
def needs_reuse_port() -> None:
    assert hasattr(socket, "SO_REUSEPORT")


def test_a_stopped_server_frees_its_port_and_may_be_stopped_again() -> None:
    async def scenario() -> None:
        async with serving() as first:
            await first.server.stop()
            async with serving(port=first.server.port) as second:
                assert (await second.get("/health")).status == 200

    asyncio.run(scenario())
