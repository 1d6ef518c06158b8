"""Processes of ours that this process starts, watches and stops."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from scheduler.entrypoints.pauses import Pauses
from scheduler.entrypoints.settings import child_environment

STOP_SECONDS = 60.0
CANNOT_START = 1
"""The exit code of a process that has said in one line why it cannot do its work."""


@dataclass(kw_only=True)
class Child:
    """One process: `scheduler <arguments>`. It stops by itself when this process is gone."""

    name: str
    arguments: Sequence[str]
    environment: dict[str, str | int] = field(default_factory=dict)
    withheld: Collection[str] = ()
    """Variables of this process that it does not get."""
    log: Path | None = None
    """Where its output goes; None for this process's own."""
    module: str = "scheduler.entrypoints.cli"
    """The program."""
    _process: subprocess.Popen[bytes] | None = None
    _pauses: Pauses = field(default_factory=Pauses)
    _starts: int = 0

    def start(self) -> None:
        """Start it, with a pipe as standard input that nobody writes to: its end tells the child that we are gone."""
        # -P: a module in the current directory, which may be anyone's, does not stand in for one of the installation.
        command = [sys.executable, "-P", "-m", self.module, *self.arguments]
        environment = child_environment(self.withheld, **self.environment, SUPERVISED=1)
        self._pauses.note_start()
        self._starts += 1
        if self.log is None:
            self._process = _spawn(command, environment, None)
            return
        with self.log.open("ab") as log:
            self._process = _spawn(command, environment, log)

    @property
    def pid(self) -> int | None:
        """Return the process id, if it was started."""
        return None if self._process is None else self._process.pid

    def exit_code(self) -> int | None:
        """Return how it ended, or None while it runs."""
        return None if self._process is None else self._process.poll()

    def could_not_start(self) -> bool:
        """Tell whether its first run has ended soon, in an error. Later runs may meet an outage that passes."""
        return self._starts == 1 and self.exit_code() == CANNOT_START and not self._pauses.is_steady()

    def is_due(self) -> bool:
        """Tell whether a child that ended may be started again: at once if it was steady, else after a longer pause."""
        return self._pauses.are_over()

    def restart(self) -> None:
        """Start it again."""
        self._pauses.note_end()
        self._close_pipe()
        self.start()

    def ask_to_stop(self) -> None:
        """Send SIGTERM."""
        self.send(signal.SIGTERM)

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def await_end(self, seconds: float = STOP_SECONDS) -> None:
        """Wait for its graceful stop, and kill it when that takes too long."""
        if self._process is None:
            return
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._close_pipe()

    def _close_pipe(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()


def _spawn(command: list[str], environment: Mapping[str, str], log: BinaryIO | None) -> subprocess.Popen[bytes]:
    # A group of its own: Ctrl-C in a terminal reaches this process alone, which stops its children in order.
    return subprocess.Popen(  # noqa: S603 - our own program
        command, env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log, process_group=0
    )


def stop_all(children: Sequence[Child], seconds: float = STOP_SECONDS) -> None:
    """Stop them side by side."""
    for child in children:
        child.ask_to_stop()
    deadline = time.monotonic() + seconds
    for child in children:
        child.await_end(max(0.0, deadline - time.monotonic()))


def restart_dead(children: Sequence[Child], report: Callable[[Child, int], None]) -> None:
    """Start those again that ended by themselves; `report` gets each with its exit code."""
    for child in children:
        code = child.exit_code()
        if code is not None and child.is_due():
            report(child, code)
            # What the system refuses now, it may grant after the next pause.
            with suppress(OSError):
                child.restart()
