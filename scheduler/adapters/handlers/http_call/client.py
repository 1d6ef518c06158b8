"""Sends requests and reads responses."""

import ssl
from collections.abc import Mapping, Sequence
from contextlib import aclosing

import httpcore2
from h2.exceptions import H2Error

from scheduler.adapters.handlers.http_call.addresses import AddressPolicy
from scheduler.adapters.handlers.http_call.body import Body
from scheduler.adapters.handlers.http_call.connections import Connections, Lease
from scheduler.adapters.handlers.http_call.dialling import CONNECT_SECONDS, GuardedBackend, Resolve, resolve_by_system
from scheduler.adapters.handlers.http_call.errors import AddressRefusedError, CallFailedError
from scheduler.adapters.handlers.http_call.messages import Reply, Request
from scheduler.application.ports.handlers import PermanentError

_TIMEOUTS = {"connect": CONNECT_SECONDS}
# The last two: frames and numbers that the library does not expect.
_BROKEN = (
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.TimeoutException,
    httpcore2.ConnectionNotAvailable,
    H2Error,
    ValueError,
)


class HttpClient:
    """The worker's connections to other servers; opened by the first call. No proxy, no cookies, no redirects."""

    def __init__(
        self,
        *,
        policy: AddressPolicy | None = None,
        ca_file: str | None = None,
        resolve: Resolve = resolve_by_system,
    ) -> None:
        """Trust the system's certificate authorities, and those in `ca_file`."""
        self._backend = GuardedBackend(policy or AddressPolicy(), resolve)
        self._ca_file = ca_file
        self._connections: Connections | None = None

    async def send(self, request: Request) -> Reply:
        """Send one request; raises PermanentError for a refused address, or CallFailedError when no response came."""
        target = request.target
        origin = httpcore2.Origin(scheme=target.scheme.encode(), host=target.host.encode(), port=target.port)
        try:
            async with self._opened().lease(origin) as lease:
                return await _exchange(lease, request)
        except AddressRefusedError as refused:
            raise PermanentError(f"{request}: {refused}") from None
        # Neither the library's words nor its errors: they may hold what was sent.
        except _BROKEN as error:
            raise CallFailedError(f"{request}: {_explain(error)}") from None

    async def aclose(self) -> None:
        """Close idle connections; calls that run close theirs."""
        if self._connections is not None:
            await self._connections.aclose()

    def _opened(self) -> Connections:
        if self._connections is None:
            self._connections = Connections(ssl_context=_ssl_context(self._ca_file), backend=self._backend)
        return self._connections


def _ssl_context(ca_file: str | None) -> ssl.SSLContext:
    context = httpcore2.default_ssl_context()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


async def _exchange(lease: Lease, request: Request) -> Reply:
    response = await lease.send(_to_wire(request))
    headers = _first_of_each(response.headers)
    body = Body(encoding=headers.get("content-encoding", "").strip().lower())
    broken = False
    try:
        async with aclosing(response.aiter_stream()) as chunks:
            await body.read(chunks)
        if body.ended:
            await response.aclose()
            lease.finished = True
    except _BROKEN:
        broken = True
    return Reply(status=response.status, headers=headers, body=body.content, broken=broken, whole=body.whole)


def _to_wire(request: Request) -> httpcore2.Request:
    target = request.target
    return httpcore2.Request(
        request.method,
        httpcore2.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.resource),
        headers=request.wire_headers,
        content=request.content,
        extensions={"timeout": _TIMEOUTS},
    )


def _first_of_each(headers: Sequence[tuple[bytes, bytes]]) -> Mapping[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in reversed(headers)}


def _explain(error: Exception) -> str:
    match error:
        case httpcore2.ConnectTimeout():
            return f"no connection within {CONNECT_SECONDS:g} s"
        case httpcore2.ConnectError():
            return f"no connection: {error}"
        case httpcore2.ProtocolError() | H2Error() | ValueError():
            return "the connection broke, or what came over it was no HTTP"
        case _:
            return "the connection broke"
