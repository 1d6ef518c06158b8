"""TCP ports on the loopback interface."""

import errno
import secrets
import socket
from collections.abc import Sequence
from typing import Final

from scheduler.adapters.embedded.errors import PortInUseError

HOST: Final = "127.0.0.1"
# Above the well-known services, below the range from which kernels take the ports of outgoing connections:
# a port of that range could be taken by any client between our choice and the server's bind.
CHOICES: Final = range(15_000, 32_768)


def free_port() -> int:
    """Draw a port on which nobody listens."""
    while not _can_bind(port := secrets.choice(CHOICES)):
        pass
    return port


def free_ports(count: int) -> Sequence[int]:
    """Draw different ports on which nobody listens."""
    ports: set[int] = set()
    while len(ports) < count:
        ports.add(free_port())
    return list(ports)


def require_free(port: int) -> None:
    """Raise PortInUseError when somebody listens on the port."""
    if not _can_bind(port):
        raise PortInUseError(port)


def _can_bind(port: int) -> bool:
    """Try the port as a server would: connections that linger after a close do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return error.errno != errno.EADDRINUSE
    return True
