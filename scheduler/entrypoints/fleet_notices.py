"""What the processes of a fleet tell their parent, and it the service manager."""

import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from scheduler.adapters.system.service_manager import ServiceManager

MAX_BYTES = 4096


class FleetNotices:
    """A socket for each child, so that its siblings do not hide one that is stuck. Without a manager there are none.

    The fleet is ready when every child has been, and alive while every child is.
    """

    def __init__(self, service: ServiceManager, directory: Path, children: int) -> None:
        self._service = service
        self._sockets = [_bind(_path(directory, slot)) for slot in range(children if service.is_there else 0)]
        self._directory = directory
        self._not_ready = set(range(len(self._sockets)))
        self._announced = False
        self._alive_at = [time.monotonic()] * len(self._sockets)
        self._pinged_at = 0.0

    def environment(self, slot: int) -> Mapping[str, str | int]:
        """Return what tells the child where to send its notices."""
        if not self._sockets:
            return {}
        watchdog = self._service.watchdog
        usec = {} if watchdog is None else {"WATCHDOG_USEC": int(watchdog.total_seconds() * 1_000_000)}
        return {"NOTIFY_SOCKET": str(_path(self._directory, slot)), **usec}

    def restarted(self, slot: int) -> None:
        """Give a child that was started again the time that a new one gets."""
        if self._sockets:
            self._alive_at[slot] = time.monotonic()

    def pass_on(self) -> None:
        """Read what the children have sent, and tell the manager what follows."""
        for slot, receiver in enumerate(self._sockets):
            for line in _lines(receiver):
                if line == "READY=1":
                    self._not_ready.discard(slot)
                if line in {"READY=1", "WATCHDOG=1"}:
                    self._alive_at[slot] = time.monotonic()
        if self._sockets and not self._not_ready and not self._announced:
            self._announced = True
            self._service.ready()
        self._ping()

    def close(self) -> None:
        """Listen no more."""
        for receiver in self._sockets:
            receiver.close()

    def _ping(self) -> None:
        watchdog, pause, now = self._service.watchdog, self._service.ping_seconds, time.monotonic()
        if watchdog is None or pause is None or now - self._pinged_at < pause:
            return
        if all(now - at < watchdog.total_seconds() for at in self._alive_at):
            self._pinged_at = now
            self._service.alive()


def _path(directory: Path, slot: int) -> Path:
    return directory / f"notify-{slot}"


def _bind(path: Path) -> socket.socket:
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.settimeout(0)
    receiver.bind(str(path))
    return receiver


def _lines(receiver: socket.socket) -> Iterator[str]:
    while True:
        try:
            yield from receiver.recv(MAX_BYTES).decode().splitlines()
        except BlockingIOError:
            return
