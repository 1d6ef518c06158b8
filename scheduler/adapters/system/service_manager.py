"""What a process tells the service manager that started it: systemd, or another that speaks sd_notify(3)."""

import socket
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta

PINGS = 3


class ServiceManager:
    """Sends datagrams to the manager's socket; without an address nothing is sent. Never blocks and never fails."""

    def __init__(self, address: str | None, *, watchdog: timedelta | None = None) -> None:
        """Take the path of the socket, or its abstract name behind an "@"."""
        self._address = None if address is None else address.replace("@", "\0", 1) if address[0] == "@" else address
        self._is_ready = False
        self.watchdog = watchdog if self.is_there else None
        """How long the manager waits for the next sign of life before it kills this process; None: for ever."""

    @property
    def ping_seconds(self) -> float | None:
        """Return how often to say that this process is alive: three times as often as it must."""
        return None if self.watchdog is None else self.watchdog.total_seconds() / PINGS

    @property
    def is_there(self) -> bool:
        """Tell whether somebody wants to be told."""
        return self._address is not None

    def ready(self) -> None:
        """Say that this process does its work now."""
        self._is_ready = True
        self._send(["READY=1", "STATUS=serving"])

    def stopping(self) -> None:
        """Say that this process drains and will end by itself."""
        self._is_ready = False
        self._send(["STOPPING=1", "STATUS=draining"])

    def alive(self) -> None:
        """Say that this process makes progress, and once more that it is ready: the first word may have been lost."""
        self._send(["READY=1", "WATCHDOG=1"] if self._is_ready else ["WATCHDOG=1"])

    def _send(self, assignments: Iterable[str]) -> None:
        if self._address is None:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(0)
            sender.sendto("\n".join(assignments).encode(), self._address)
