"""A scheduler without servers, run by the very command that users have for it."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from tests.unit.cli.tool import PATIENCE_SECONDS, PROGRAM


@contextmanager
def memory_service(*options: str, **environment: str) -> Iterator[str]:
    """Run `scheduler up --backend memory`, give its address, and stop it as Ctrl-C does, which must end it with 0."""
    ports = ["--grpc-port=0", "--metrics-port=0"]
    command = [*PROGRAM, "up", "--backend", "memory", *ports, *options]
    with subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True) as running:
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
