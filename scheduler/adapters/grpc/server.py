"""The API server: opened and closed inside a running event loop."""

import asyncio
import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from scheduler.adapters.grpc.answers import UnreadAnswers
from scheduler.adapters.grpc.calls import CallServices, CallsInFlight
from scheduler.adapters.grpc.faults import CallFaults
from scheduler.adapters.grpc.health import HealthService
from scheduler.adapters.grpc.interceptors import CallInterceptor
from scheduler.adapters.grpc.large_requests import LargeRequests
from scheduler.adapters.grpc.limits import Cap
from scheduler.adapters.grpc.mutations import Mutations
from scheduler.adapters.grpc.pb.scheduler_pb2_grpc import add_SchedulerServiceServicer_to_server
from scheduler.adapters.grpc.servicer import SERVICE, SchedulerServicer, UseCases
from scheduler.application.errors import PortInUseError
from scheduler.application.ports.telemetry import FaultTelemetry, RpcTelemetry
from scheduler.application.ports.tracing import Tracing
from scheduler.application.untraced import UNTRACED
from scheduler.application.watch_hub import MAX_WATCHERS

_HEALTH = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
_REFLECTION = f"/{reflection.SERVICE_NAME}/ServerReflectionInfo"
MAX_HEALTH_STREAMS = 1000
MAX_REFLECTION_STREAMS = 100
MAX_STREAMS_OF_A_CONNECTION = 4096
MAX_REQUEST_BYTES = 8 * 1024 * 1024
"""Twice what a batch may hold, so that one somewhat too large is told which rule it broke."""

SOFT_METADATA_BYTES = 8 * 1024
MAX_METADATA_BYTES = 16 * 1024
"""Of the headers of a call: above the first size calls are refused at random, above this one always."""

ABORT_SECONDS = 1.0
"""What aborted calls get to tell their clients."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """Where and how to serve.

    `client_share` of each cap is all that the clients of one host get together: 1 behind a proxy, which is one host.
    Connections older than `connection_age` (gRPC spreads it by ± 10 %) are closed, so that clients spread over
    processes that came later; their calls may go on for `connection_grace`. `max_calls` counts streams too.
    """

    host: str = "127.0.0.1"
    port: int = 8081
    share_port: bool = False
    """Several processes serve the same port; else one that is in use is an error."""
    max_calls: int = 20_000
    max_connections: int = 10_000
    client_share: float = 0.5
    connection_age: timedelta = timedelta(minutes=10)
    connection_grace: timedelta = timedelta(hours=1)
    connection_idle: timedelta = timedelta(minutes=5)
    handshake: timedelta = timedelta(seconds=10)
    keepalive: timedelta = timedelta(seconds=30)


class ApiServer:
    """Serves scheduler.v1, grpc.health.v1 and reflection on one port. Started once, stopped once.

    `end_watches` makes every watch raise ServerStoppingError, so that its client goes on elsewhere: WatchHub.stop.
    """

    def __init__(
        self,
        *,
        use_cases: UseCases,
        end_watches: Callable[[], None],
        telemetry: RpcTelemetry,
        faults: FaultTelemetry,
        options: ServerOptions,
        tracing: Tracing = UNTRACED,
    ) -> None:
        call_faults = CallFaults(faults)
        cap = partial(Cap, share=options.client_share, telemetry=telemetry)
        self._end_watches = end_watches
        self._options = options
        self._services = CallServices(
            telemetry=telemetry,
            faults=call_faults,
            in_flight=CallsInFlight(),
            tracing=tracing,
            large=LargeRequests(telemetry),
            answers=UnreadAnswers(share=options.client_share, telemetry=telemetry),
            watches=cap("watches", MAX_WATCHERS),
        )
        self._other_streams = {
            f"/{_HEALTH}/Watch": cap("health streams", MAX_HEALTH_STREAMS),
            _REFLECTION: cap("reflection streams", MAX_REFLECTION_STREAMS),
        }
        self._mutations = Mutations(call_faults.abandoned, telemetry)
        self._servicer = SchedulerServicer(use_cases, self._mutations, tracing, self._services.large)
        self._health = HealthService((SERVICE,))
        self._stop_lock = asyncio.Lock()
        self._server: grpc.aio.Server | None = None

    async def start(self) -> int:
        """Serve, as NOT_SERVING until told otherwise; return the bound port. Raises PortInUseError and OSError."""
        server = self._build()
        port = self._bind(server)
        await server.start()
        self._server = server
        return port

    def set_serving(self, *, is_serving: bool) -> None:
        """Tell health checks whether to send calls here; calls are answered either way."""
        self._health.set_serving(is_serving=is_serving)

    def announce_stop(self) -> None:
        """Answer health checks with NOT_SERVING from now on, for good."""
        self._health.announce_stop()

    async def stop(self, grace: float) -> None:
        """End all watches, refuse new calls, let those in flight end for `grace` seconds and abort the rest.

        Mutations run to their end, whatever the grace. A second call waits for the first.
        """
        self.announce_stop()
        self._end_watches()
        self._health.end_watches()
        # Two stops of one gRPC server at once crash the process.
        async with self._stop_lock:
            if self._server is not None:
                await self._end_calls(self._server, grace)
                self._server = None
        await self._mutations.drained()

    async def _end_calls(self, server: grpc.aio.Server, grace: float) -> None:
        """Refuse new calls, wait for those in flight, and abort them before gRPC does."""
        stopped = asyncio.ensure_future(server.stop(grace + ABORT_SECONDS))
        await asyncio.wait([stopped], timeout=grace)
        self._services.in_flight.abort()
        await stopped

    def _build(self) -> grpc.aio.Server:
        server = grpc.aio.server(
            interceptors=[CallInterceptor(service=SERVICE, services=self._services, other_streams=self._other_streams)],
            options=_channel_options(self._options),
            maximum_concurrent_rpcs=self._options.max_calls,
        )
        add_SchedulerServiceServicer_to_server(self._servicer, server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection((SERVICE, _HEALTH, reflection.SERVICE_NAME), server)
        return server

    def _bind(self, server: grpc.aio.Server) -> int:
        host, port = self._options.host, self._options.port
        # Asked first, for gRPC writes to standard error why it cannot bind, and tells its caller nothing.
        require_bindable(host, port, share_port=self._options.share_port)
        try:
            return server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        except RuntimeError as error:
            raise PortInUseError(port) from error  # since a moment ago


def _channel_options(options: ServerOptions) -> list[tuple[str, int]]:
    keepalive = _millis(options.keepalive)
    return [
        ("grpc.so_reuseport", int(options.share_port)),
        ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
        ("grpc.max_send_message_length", -1),
        # Of more than 1,000 calls that wait for Python gRPC drops some at random, as CANCELLED. A burst of watches is
        # no overload, and `maximum_concurrent_rpcs` says RESOURCE_EXHAUSTED.
        ("grpc.server.max_pending_requests", options.max_calls),
        ("grpc.server.max_pending_requests_hard_limit", options.max_calls),
        # What one client may hold without a call that we could count.
        ("grpc.max_concurrent_streams", MAX_STREAMS_OF_A_CONNECTION),
        ("grpc.max_allowed_incoming_connections", options.max_connections),
        ("grpc.max_metadata_size", SOFT_METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", MAX_METADATA_BYTES),
        ("grpc.server_handshake_timeout_ms", _millis(options.handshake)),
        ("grpc.max_connection_idle_ms", _millis(options.connection_idle)),
        ("grpc.max_connection_age_ms", _millis(options.connection_age)),
        ("grpc.max_connection_age_grace_ms", _millis(options.connection_grace)),
        # Find clients that vanished, for each may hold a watch; and let clients look for us as often.
        ("grpc.keepalive_time_ms", keepalive),
        ("grpc.keepalive_timeout_ms", keepalive // 2),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", keepalive // 3),
    ]


def _millis(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


def require_bindable(host: str, port: int, *, share_port: bool) -> None:
    """Raise PortInUseError, or an OSError that names the address, unless a server may listen there."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(share_port))
            probe.bind(address)
            if not share_port:  # among those that share, one that listens would be sent clients
                probe.listen()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(port) from error
        raise OSError(error.errno, f"cannot serve on {host}:{port}: {error.strerror}") from error
