"""Open connections, each used by one call at a time, so that a call that is stopped can close its own."""

import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpcore2

MAX_IDLE = 32
IDLE_SECONDS = 15.0


@dataclass(slots=True)
class Lease:
    """A connection in use. It serves again only when its user has found the response's end."""

    origin: httpcore2.Origin
    connection: httpcore2.AsyncHTTPConnection
    stream: httpcore2.AsyncNetworkStream | None = None
    finished: bool = False

    async def send(self, request: httpcore2.Request) -> httpcore2.Response:
        """Send a request and return when the response's headers are there."""
        response = await self.connection.handle_async_request(request)
        self.stream = response.extensions["network_stream"]
        return response

    @property
    def fresh(self) -> bool:
        """Tell whether the connection can serve again: the other side has neither closed it nor sent anything."""
        if self.stream is None or not self.connection.is_idle() or self.connection.has_expired():
            return False
        return not self.stream.get_extra_info("is_readable")


class Connections:
    """Keeps idle connections for calls to the same origin. HTTP/2 where TLS offers it, else HTTP/1.1."""

    def __init__(self, *, ssl_context: ssl.SSLContext, backend: httpcore2.AsyncNetworkBackend) -> None:
        self._ssl_context = ssl_context
        self._backend = backend
        self._idle: deque[Lease] = deque()

    @asynccontextmanager
    async def lease(self, origin: httpcore2.Origin) -> AsyncIterator[Lease]:
        """Lend a connection, new or used, that nobody else uses meanwhile."""
        lease = await self._take(origin)
        try:
            yield lease
        finally:
            if lease.finished and lease.fresh:
                self._idle.append(lease)
                await self._close_surplus()
            else:
                await lease.connection.aclose()

    async def aclose(self) -> None:
        """Close what is idle."""
        while self._idle:
            await self._idle.popleft().connection.aclose()

    async def _take(self, origin: httpcore2.Origin) -> Lease:
        for lease in [lease for lease in self._idle if not lease.fresh]:
            self._idle.remove(lease)
            await lease.connection.aclose()
        for lease in reversed(self._idle):
            if lease.origin == origin:
                self._idle.remove(lease)
                lease.finished = False
                return lease
        return Lease(origin, self._open(origin))

    async def _close_surplus(self) -> None:
        while len(self._idle) > MAX_IDLE:
            await self._idle.popleft().connection.aclose()

    def _open(self, origin: httpcore2.Origin) -> httpcore2.AsyncHTTPConnection:
        return httpcore2.AsyncHTTPConnection(
            origin,
            ssl_context=self._ssl_context,
            keepalive_expiry=IDLE_SECONDS,
            http2=True,
            network_backend=self._backend,
        )
