"""Real processes for the tests of how ours begin and end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE_SECONDS = 60.0


class Program:
    """A running program of the tests."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def wait_for(self, word: str) -> None:
        """Wait until it says so."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if line.strip() == word:
                return
        raise AssertionError(f"it ended without a {word!r}")

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def exit_code(self, *, within: float = PATIENCE_SECONDS) -> int:
        return self.process.wait(within)

    def words(self) -> str:
        """Return all that it has said since, once it has ended."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        return self.process.stdout.read() + self.process.stderr.read()

    def close_input(self) -> None:
        """Close its standard input, as the end of its parent does."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def close_output(self) -> None:
        """Read its standard output no longer."""
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def program(name: str, *, module: str = "program", **environment: str) -> Iterator[Program]:
    """Run it while inside; what is left of it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"tests.unit.entrypoints.{module}", name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "", **environment},
    )
    with process:
        try:
            yield Program(process)
        finally:
            process.kill()


def eventually(condition: Callable[[], bool]) -> None:
    """Wait for a condition with a deadline."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)
