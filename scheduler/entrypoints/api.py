"""The API process."""

import asyncio
from collections.abc import Callable
from functools import partial

from scheduler.adapters.grpc.server import ApiServer, ServerOptions
from scheduler.adapters.grpc.servicer import UseCases
from scheduler.application.loops import wait_until
from scheduler.application.worker.ending import Ending
from scheduler.entrypoints.container import Container
from scheduler.entrypoints.operations import MAX_SILENCE, clock_loop, make_loop, operations_server, withdraw
from scheduler.entrypoints.process import ProcessOptions
from scheduler.entrypoints.runtime import background
from scheduler.entrypoints.serving import run_on_servers
from scheduler.entrypoints.settings import Settings

METRICS_PORT = 2112
HEALTH_SECONDS = 1.0


def run_api(settings: Settings, options: ProcessOptions) -> int:
    """Serve the API until a signal; return the exit code. Raises SchedulerError when it cannot start."""
    port = METRICS_PORT if settings.metrics_port is None else settings.metrics_port
    return run_on_servers(settings, options, "api", partial(serve_api, metrics_port=port))


async def serve_api(
    container: Container,
    stopping: asyncio.Event,
    *,
    metrics_port: int,
    announce: Callable[[int], None] | None = None,
) -> Ending:
    """Serve on open resources until `stopping` is set, then drain; `announce` gets the API's port. Return True."""
    settings = container.common.settings()
    await container.follow_store_clock().execute()
    hub = container.watch_hub()
    server = _server(container)
    loops = [clock_loop(container), make_loop(container, "watch", hub.refresh_once, interval=0.01)]
    async with (
        background(loops, hub.listen),
        operations_server(container, port=metrics_port, loops={"watch": MAX_SILENCE}),
    ):
        port = await server.start()
        if announce is not None:
            announce(port)
        container.common.service().ready()
        await _follow_readiness(container, server, stopping)
        withdraw(container)
        await server.stop(settings.grace_seconds)
    return Ending.COMPLETE


def _server(container: Container) -> ApiServer:
    settings = container.common.settings()
    return ApiServer(
        use_cases=UseCases(
            submit_jobs=container.submit_jobs(),
            get_job=container.get_job(),
            watch_job=container.watch_job(),
            cancel_job=container.cancel_job(),
            list_jobs=container.list_jobs(),
            requeue_job=container.requeue_job(),
            list_attempts=container.list_attempts(),
            get_queue_stats=container.get_queue_stats(),
            requeue_jobs=container.requeue_jobs(),
            delete_jobs=container.delete_jobs(),
            list_error_groups=container.list_error_groups(),
        ),
        end_watches=container.watch_hub().stop,
        telemetry=container.common.rpc_telemetry(),
        faults=container.common.faults(),
        tracing=container.common.tracing(),
        options=ServerOptions(
            host=settings.grpc_host,
            port=settings.grpc_port,
            share_port=container.common.options().shares_ports,
            max_connections=settings.grpc_max_connections,
            client_share=settings.grpc_client_share,
        ),
    )


async def _follow_readiness(container: Container, server: ApiServer, stopping: asyncio.Event) -> None:
    """Let gRPC health say what /ready says."""
    while not stopping.is_set():
        server.set_serving(is_serving=(await container.readiness().check()).ready)
        await wait_until(stopping, HEALTH_SECONDS)
