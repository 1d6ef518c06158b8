# ruff: noqa: N802 - methods are named as on the wire
"""Health checks that do not hold up a stop: grpcio's own servicer never ends a Watch, which takes all of the grace."""

import asyncio
from collections.abc import Sequence

import grpc
import grpc.aio
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthServicer

Context = grpc.aio.ServicerContext[HealthCheckRequest, HealthCheckResponse]


class HealthService(HealthServicer):
    """grpc.health.v1 for the whole server ("") and for each of its services, which all share one status."""

    def __init__(self, services: Sequence[str]) -> None:
        self._services = frozenset({"", *services})
        self._is_serving = False
        self._is_stopping = False
        self._watches_end = False
        self._changed = asyncio.Event()

    def set_serving(self, *, is_serving: bool) -> None:
        """Set the status; without effect once a stop was announced."""
        self._is_serving = is_serving and not self._is_stopping
        self._tell()

    def announce_stop(self) -> None:
        """Be NOT_SERVING from now on, for good."""
        self._is_stopping = True
        self.set_serving(is_serving=False)

    def end_watches(self) -> None:
        """End every Watch, now and later, once it has told the status."""
        self._watches_end = True
        self._tell()

    async def Check(self, request: HealthCheckRequest, context: Context) -> HealthCheckResponse:
        """Return a service's status."""
        if request.service not in self._services:
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return self._response(request)

    async def Watch(self, request: HealthCheckRequest, context: Context) -> None:
        """Stream a service's status, whenever it changes."""
        sent: HealthCheckResponse | None = None
        while True:
            changed = self._changed
            response = self._response(request)
            if response != sent:
                await context.write(response)
                sent = response
            elif self._watches_end:
                return
            else:
                await changed.wait()

    def _response(self, request: HealthCheckRequest) -> HealthCheckResponse:
        if request.service not in self._services:
            return HealthCheckResponse(status=HealthCheckResponse.SERVICE_UNKNOWN)
        return HealthCheckResponse(
            status=HealthCheckResponse.SERVING if self._is_serving else HealthCheckResponse.NOT_SERVING
        )

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
