"""How connections are made: names are resolved once, addresses checked, and exactly those dialled."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import ip_address

from httpcore2 import AnyIOBackend, AsyncNetworkBackend, AsyncNetworkStream, ConnectError, ConnectTimeout

from scheduler.adapters.handlers.http_call.addresses import DENIED, AddressPolicy, IpAddress
from scheduler.adapters.handlers.http_call.errors import AddressRefusedError

CONNECT_SECONDS = 10.0
"""What name, TCP and TLS may take, each at most, before the call fails."""
NOT_ALLOWED = ", which HTTP_CALL_ALLOWED_NETWORKS does not allow"

Resolve = Callable[[str, int], Awaitable[Sequence[IpAddress]]]
"""Return the addresses of a name; raises OSError when it has none."""


async def resolve_by_system(host: str, port: int) -> Sequence[IpAddress]:
    """Ask the system's resolver, in a thread."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ip_address(address[0]) for _, _, _, _, address in found))


class GuardedBackend(AsyncNetworkBackend):
    """Dials allowed addresses only. A name may have refused ones beside them; with no other it is refused."""

    def __init__(self, policy: AddressPolicy, resolve: Resolve = resolve_by_system) -> None:
        self._policy = policy
        self._resolve = resolve
        self._network = AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the base class's
        local_address: str | None = None,
        socket_options: Iterable[object] | None = None,  # noqa: ARG002 - none are ever set
    ) -> AsyncNetworkStream:
        """Connect within `timeout` seconds; TLS that follows is checked against the name, not the address."""
        limit = CONNECT_SECONDS if timeout is None else timeout
        deadline = asyncio.get_running_loop().time() + limit
        try:
            async with asyncio.timeout_at(deadline):
                return await self._dial(await self._permitted(host, port), port, deadline, local_address)
        except TimeoutError:
            raise ConnectTimeout("no connection") from None

    async def _permitted(self, host: str, port: int) -> Sequence[IpAddress]:
        if self._policy.refuses_port(port):
            raise AddressRefusedError(f"port {port} is not one of HTTP_CALL_ALLOWED_PORTS")
        addresses = _literal(host) or await self._lookup(host, port)
        refusals = {address: self._policy.refusal(address) for address in addresses}
        permitted = [address for address, kind in refusals.items() if kind is None]
        if not permitted:
            kind = next(kind for kind in refusals.values() if kind is not None)
            reason = " (HTTP_CALL_DENIED_NETWORKS)" if kind == DENIED else NOT_ALLOWED
            raise AddressRefusedError(f"the host has a {kind} address{reason}")
        return permitted

    async def _lookup(self, host: str, port: int) -> Sequence[IpAddress]:
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise ConnectError("the name has no address") from error
        if not addresses:
            raise ConnectError("the name has no address")
        return addresses

    async def _dial(
        self, addresses: Sequence[IpAddress], port: int, deadline: float, local_address: str | None
    ) -> AsyncNetworkStream:
        """Try one address after the other; an unanswered one may take an even share of the time that is left."""
        failure: ConnectError | ConnectTimeout = ConnectError("the name has no address")
        for position, address in enumerate(addresses):
            share = (deadline - asyncio.get_running_loop().time()) / (len(addresses) - position)
            try:
                return await self._network.connect_tcp(str(address), port, share, local_address)
            except (ConnectError, ConnectTimeout) as error:
                failure = error
        raise failure


def _literal(host: str) -> Sequence[IpAddress]:
    try:
        return [ip_address(host)]
    except ValueError:
        return []
