"""A terminal of our own, in which a program believes that a person watches."""

import os
import pty
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from select import select

from tests.unit.cli.tool import PATIENCE_SECONDS


class Terminal:
    """Runs one program on a pseudo terminal of 80 columns."""

    def __init__(self, command: list[str], environment: Mapping[str, str] | None = None) -> None:
        self._mine, theirs = pty.openpty()
        self.output = b""
        self._process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "80", **(environment or {})},
        )
        os.close(theirs)

    def read_until(self, condition: Callable[[bytes], bool]) -> None:
        """Read on until the condition holds for all output so far; fail when it does not in time."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition(self.output):
            assert self._read(deadline), self.output

    def type(self, keys: bytes) -> None:
        """Do what a person at the keyboard does."""
        os.write(self._mine, keys)

    def interrupt(self) -> None:
        """Do what Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    def end(self) -> int:
        """Read all that comes until the program ends; return its exit code."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._read(deadline):
            pass
        os.close(self._mine)
        return self._process.wait(PATIENCE_SECONDS)

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select([self._mine], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, self.output
        try:
            chunk = os.read(self._mine, 65536)
        except OSError:  # the other end is closed
            return False
        self.output += chunk
        return bool(chunk)
