"""What every process has beside its work: an HTTP server for operators, and a clock that follows the store's."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

from scheduler.adapters.http.server import OperationsServer
from scheduler.application.loops import Loop
from scheduler.entrypoints.container import Container
from scheduler.entrypoints.stalls import stalls_reported

CLOCK_SECONDS = 10.0
PROBE_SECONDS = 5.0
"""How often dependencies are asked so that their gauges are true; /ready asks itself."""
LAG_SECONDS = 0.25
EVENT_LOOP = "event_loop"
MAX_SILENCE = timedelta(seconds=60)
"""Much longer than a loop's pauses after faults and its statements' deadlines together."""


@asynccontextmanager
async def operations_server(container: Container, *, port: int, loops: Mapping[str, timedelta]) -> AsyncIterator[None]:
    """Serve /metrics, /health and /ready; /health watches the event loop and these loops, each with its silence."""
    settings, progress = container.common.settings(), container.common.progress()
    server = OperationsServer(
        host=settings.metrics_host,
        port=port,
        metrics=container.common.metrics().render,
        readiness=container.readiness(),
        progress=progress,
        reuse_port=container.common.options().shares_ports,
    )
    silences = {EVENT_LOOP: MAX_SILENCE, **loops}
    for loop, max_silence in silences.items():
        progress.register(loop, max_silence=max_silence)
    await server.start()
    watching = [asyncio.create_task(_again_and_again(container, watch)) for watch in WATCHES]
    try:
        with stalls_reported(progress):
            yield
    finally:
        for task in watching:
            task.cancel()
        await server.stop()
        for loop in silences:
            progress.forget(loop)


async def _again_and_again(container: Container, watch: Callable[[Container], Awaitable[None]]) -> None:
    """Keep watching after an error that nobody expected: without it the process would seem stuck, or well, for ever."""
    while True:
        try:
            return await watch(container)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
            container.common.faults().fault("watch_failed", error)
            await asyncio.sleep(PROBE_SECONDS)


async def _watch_dependencies(container: Container) -> None:
    while True:
        await container.readiness().check()
        await asyncio.sleep(PROBE_SECONDS)


async def _watch_loop(container: Container) -> None:
    lag, clock, progress = container.common.loop_lag(), container.common.clock(), container.common.progress()
    while True:
        progress.beat(EVENT_LOOP)
        began = clock.monotonic()
        await asyncio.sleep(LAG_SECONDS)
        lag.observe(clock.monotonic() - began - LAG_SECONDS)


async def _feed_watchdog(container: Container) -> None:
    """Say that this process is alive while its event loop turns and none of its loops is stuck."""
    service, progress = container.common.service(), container.common.progress()
    while (seconds := service.ping_seconds) is not None:
        if not progress.stuck():
            service.alive()
        await asyncio.sleep(seconds)


WATCHES = (_watch_dependencies, _watch_loop, _feed_watchdog)


def withdraw(container: Container) -> None:
    """Tell everybody that this process stops: from now on it is not ready."""
    container.readiness().withdraw()
    container.common.service().stopping()


def make_loop(container: Container, name: str, work: Callable[[], Awaitable[bool | None]], *, interval: float) -> Loop:
    """Make a loop of a use case; one that returns True has more to do at once."""

    async def run_once() -> bool:
        return bool(await work())

    return Loop(name, run_once, interval=interval, services=container.common.loop_services())


def clock_loop(container: Container) -> Loop:
    """Keep the clock with the store's."""
    return make_loop(container, "clock", container.follow_store_clock().execute, interval=CLOCK_SECONDS)
