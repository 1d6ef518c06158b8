"""How much of the server one request, one client and all clients together may take."""

import os
import socket
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from scheduler.adapters.grpc.errors import CapReachedError
from scheduler.application.ports.telemetry import RpcTelemetry
from scheduler.domain.errors import InvalidFieldError
from scheduler.domain.json_document import MAX_JSON_BYTES

KIB = 1024
MAX_BATCH_BYTES = 4 * 1024 * KIB
_ONE_ID = 4 * KIB
_FILTERS = 64 * KIB
_BESIDE_PAYLOAD = 64 * KIB
"""For type, key, labels and what later clients may add."""

REQUEST_BYTES: Mapping[str, tuple[str, int]] = {
    "SubmitJob": ("job", MAX_JSON_BYTES + _BESIDE_PAYLOAD),
    "SubmitJobs": ("jobs", MAX_BATCH_BYTES),
    "RequeueJob": ("payload_json", MAX_JSON_BYTES + _BESIDE_PAYLOAD),
    "RequeueJobs": ("filter", _FILTERS),
    "PurgeJobs": ("filter", _FILTERS),
    "ListJobs": ("request", _FILTERS),
    "ListErrorGroups": ("request", _ONE_ID),
    "GetQueueStats": ("request", _ONE_ID),
    "GetJob": ("job_id", _ONE_ID),
    "WatchJob": ("job_id", _ONE_ID),
    "CancelJob": ("job_id", _ONE_ID),
    "ListAttempts": ("job_id", _ONE_ID),
}
"""Of each method, the size of its largest valid request with room to spare, and the field to name in a refusal."""


def check_size(method: str, size: int) -> None:
    """Raise InvalidFieldError when a request of that size is too large, before anything of it is read."""
    field, most = REQUEST_BYTES[method]
    if size > most:
        raise InvalidFieldError(field, f"must be at most {most} bytes together, are {size}")


class Cap:
    """At most `limit` of something at once, and at most `share` of it (0 to 1) for the clients of one host."""

    def __init__(self, name: str, limit: int, *, share: float, telemetry: RpcTelemetry) -> None:
        self._name = name
        self._limit = limit
        self._limit_of_a_host = max(1, int(limit * share))
        self._telemetry = telemetry
        self._by_host: Counter[str] = Counter()
        self._taken = 0

    @property
    def taken(self) -> int:
        """Return how much is taken now."""
        return self._taken

    def take(self, peer: str, amount: int = 1) -> str:
        """Take some and return the host that has it now. Raises CapReachedError."""
        host = _host_of(peer)
        if self._taken + amount > self._limit or self._by_host[host] + amount > self._limit_of_a_host:
            self._telemetry.limited(self._name)
            raise CapReachedError(self._name)
        self._taken += amount
        self._by_host[host] += amount
        return host

    def give_back(self, host: str, amount: int = 1) -> None:
        """Give back what a host took."""
        self._taken -= amount
        self._by_host[host] -= amount
        if self._by_host[host] <= 0:
            del self._by_host[host]

    @contextmanager
    def held(self, peer: str) -> Iterator[None]:
        """Hold one while inside."""
        host = self.take(peer)
        try:
            yield
        finally:
            self.give_back(host)


def _host_of(peer: str) -> str:
    return peer.rpartition(":")[0]


def hang_up(peer: str) -> None:
    """Shut the connection of a peer as gRPC names it: gRPC itself has no way to end a call whose answer is not read."""
    host, _, port = peer.removeprefix("ipv4:").removeprefix("ipv6:").rpartition(":")
    address = ip_address(host.replace("%5B", "").replace("%5D", "").strip("[]"))
    for descriptor in Path("/dev/fd").iterdir():
        with suppress(OSError), _socket(int(descriptor.name)) as connection:
            if connection.family in {socket.AF_INET, socket.AF_INET6} and _is_peer(connection, address, int(port)):
                connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def _socket(descriptor: int) -> Iterator[socket.socket]:
    copy = os.dup(descriptor)
    try:
        connection = socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise
    with connection:
        yield connection


def _is_peer(connection: socket.socket, address: IPv4Address | IPv6Address, port: int) -> bool:
    host, its_port, *_ = connection.getpeername()
    found = ip_address(host.partition("%")[0])
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return its_port == port and address in {found, mapped}
