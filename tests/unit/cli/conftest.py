"""A scheduler without servers, run by the very command that users have for it."""

import signal
import subprocess
from collections.abc import Iterator
from typing import IO

import pytest

from scheduler.adapters.embedded.ports import free_port
from tests.support.ports import three_free_ports
from tests.unit.cli.tool import PATIENCE_SECONDS, PROGRAM, Tool


@pytest.fixture(scope="session")
def memory_address() -> Iterator[str]:
    """Run `scheduler up --backend memory`; stop it as Ctrl-C does, which must end it with 0."""
    grpc_port, metrics_port = free_port(), three_free_ports()
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


@pytest.fixture
def tool(memory_address: str) -> Tool:
    return Tool(memory_address)
