"""A scheduler without servers, run by the very command that users have for it."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from typing import IO

import pytest

from scheduler.adapters.embedded.errors import PortInUseError
from scheduler.adapters.embedded.ports import free_port, require_free
from tests.unit.cli.tool import PATIENCE_SECONDS, PROGRAM, Tool


@pytest.fixture(scope="session")
def memory_address() -> Iterator[str]:
    """Run `scheduler up --backend memory`; stop it as Ctrl-C does, which must end it with 0."""
    grpc_port, metrics_port = free_port(), _three_free_ports()
    command = [*PROGRAM, "up", "--backend", "memory", f"--grpc-port={grpc_port}", f"--metrics-port={metrics_port}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            yield _address_said_by(running.stdout)
        finally:
            running.send_signal(signal.SIGINT)
            running.communicate(timeout=PATIENCE_SECONDS)
    assert running.returncode == 0


def _address_said_by(output: IO[str]) -> str:
    first = output.readline()
    assert first.startswith("serving on "), first
    return first.split()[2].rstrip(",")


def _three_free_ports() -> int:
    """Return the first of three free ports in a row."""
    while True:
        first = free_port()
        with suppress(PortInUseError):
            require_free(first + 1)
            require_free(first + 2)
            return first


@pytest.fixture
def tool(memory_address: str) -> Tool:
    return Tool(memory_address)
