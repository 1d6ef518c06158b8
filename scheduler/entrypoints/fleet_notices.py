"""What the processes of a fleet tell their parent, and it the service manager."""

import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from scheduler.adapters.system.service_manager import ServiceManager

WATCHDOG = timedelta(seconds=120)
"""How long a child may be silent where no service manager says so: a handler may block its event loop for a while."""
START_SECONDS = 60.0
"""How much longer a child may be silent that has just been started."""
MAX_BYTES = 4096


class FleetNotices:
    """A socket for each child, so that its siblings, which share its ports, do not hide one that is stuck.

    The fleet is ready when every child has been, and alive while every child is.
    """

    def __init__(self, service: ServiceManager, directory: Path, children: int) -> None:
        self._service = service
        self._watchdog = service.watchdog or WATCHDOG
        self._sockets = [_bind(_path(directory, slot)) for slot in range(children)]
        self._directory = directory
        self._not_ready = set(range(children))
        self._announced = False
        self._due_at = [0.0] * children
        for slot in range(children):
            self.started(slot)
        self._pinged_at = 0.0

    def environment(self, slot: int) -> Mapping[str, str | int]:
        """Return what tells the child where to send its notices, and how often."""
        usec = int(self._watchdog.total_seconds() * 1_000_000)
        return {"NOTIFY_SOCKET": str(_path(self._directory, slot)), "WATCHDOG_USEC": usec}

    def started(self, slot: int) -> None:
        """Give a child that was started, perhaps again, the time that it needs."""
        self._expect(slot, START_SECONDS)

    def pass_on(self) -> None:
        """Read what the children have sent, and tell the manager what follows."""
        for slot, receiver in enumerate(self._sockets):
            for line in _lines(receiver):
                if line == "READY=1":
                    self._not_ready.discard(slot)
                if line in {"READY=1", "WATCHDOG=1"}:
                    self._expect(slot)
        if not self._not_ready and not self._announced:
            self._announced = True
            self._service.ready()
        self._ping()

    def silent(self) -> Sequence[int]:
        """Return the children whose next sign of life is overdue."""
        now = time.monotonic()
        return [slot for slot, due_at in enumerate(self._due_at) if due_at < now]

    def close(self) -> None:
        """Listen no more."""
        for receiver in self._sockets:
            receiver.close()

    def _expect(self, slot: int, more_seconds: float = 0.0) -> None:
        self._due_at[slot] = time.monotonic() + self._watchdog.total_seconds() + more_seconds

    def _ping(self) -> None:
        pause, now = self._service.ping_seconds, time.monotonic()
        if pause is not None and now - self._pinged_at >= pause and not self.silent():
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
