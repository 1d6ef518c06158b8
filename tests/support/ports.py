"""Ports for the processes of tests."""

from contextlib import suppress

from scheduler.adapters.embedded.errors import PortInUseError
from scheduler.adapters.embedded.ports import free_port, require_free


def three_free_ports() -> int:
    """Return the first of three free ports in a row."""
    while True:
        first = free_port()
        with suppress(PortInUseError):
            require_free(first + 1)
            require_free(first + 2)
            return first
