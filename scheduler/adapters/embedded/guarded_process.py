"""The owner's side of a guard."""

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from scheduler.adapters.embedded import guard
from scheduler.adapters.embedded.errors import EmbeddedServerError

# Servers see nothing of our environment: a stray PGDATA or LC_ALL must not change what they do.
SEARCH_PATH: Final = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
ENVIRONMENT: Final = {"PATH": SEARCH_PATH, "LC_ALL": "C", "TZ": "UTC"}
ROTATE_AT_BYTES: Final = 16 * 1024 * 1024
# The guard kills the server when its grace is over; this much later we stop waiting for the guard.
GUARD_SLACK_SECONDS: Final = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """What to run: programs of `prefix` exec the next one, so that all share one process id."""

    argv: tuple[str, ...]
    cwd: Path
    log: Path
    stop_signal: signal.Signals
    grace_seconds: float
    prefix: tuple[str, ...] = ()
    stdin: str = field(default="", repr=False)
    uid: int | None = None
    gid: int | None = None


class GuardedProcess:
    """A program that ends when this process does."""

    def __init__(self, program: Program, lock: int) -> None:
        """Run the program; it inherits the lock's descriptor."""
        self._grace_seconds = program.grace_seconds
        self._guard = _start_guard(program.log, lock)
        try:
            self._send(json.dumps(_spec(program, lock)._asdict()))
            self.pid = self._read_pid()
        except BaseException:
            self.kill()
            raise

    def poll(self) -> int | None:
        """Return the exit status of the program, None while it runs."""
        return self._guard.poll()

    def wait(self, timeout: float) -> int:
        """Wait for the program's own end."""
        status = self._guard.wait(timeout)
        self._close_pipes()
        return status

    def stop(self) -> None:
        """Ask the program to end and wait for it; kill it when its grace is over."""
        self._end("stop", self._grace_seconds + GUARD_SLACK_SECONDS)

    def kill(self) -> None:
        """Kill the program and its children."""
        self._end("kill", GUARD_SLACK_SECONDS)

    def freeze(self) -> None:
        """Suspend the program and its children."""
        self._call("freeze")

    def thaw(self) -> None:
        """Let the program and its children go on."""
        self._call("thaw")

    def _end(self, command: str, timeout: float) -> None:
        self._send(command)
        try:
            self.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise EmbeddedServerError(f"the guard {self._guard.pid} of a server does not answer") from error

    def _call(self, command: str) -> None:
        self._send(command)
        if self._read_line() != "ok":
            raise EmbeddedServerError("the server is not running")

    def _send(self, line: str) -> None:
        """Write one line; an ended guard has an exit status for us instead."""
        pipe = self._guard.stdin
        if pipe is not None and not pipe.closed:
            with suppress(BrokenPipeError):
                pipe.write(line.encode() + b"\n")

    def _read_line(self) -> str:
        pipe = self._guard.stdout
        return "" if pipe is None or pipe.closed else pipe.readline().decode().strip()

    def _read_pid(self) -> int:
        kind, _, text = self._read_line().partition(" ")
        if kind != "pid":
            raise EmbeddedServerError(text or "the guard of a server ended early")
        return int(text)

    def _close_pipes(self) -> None:
        for pipe in (self._guard.stdin, self._guard.stdout):
            if pipe is not None:
                pipe.close()


def death_signal(number: signal.Signals) -> tuple[str, ...]:
    """Give a prefix that stops the program when even its guard is killed, where the system offers one.

    It must come after a prefix that changes the user, which would clear it.
    """
    setpriv = shutil.which("setpriv", path=SEARCH_PATH) if sys.platform == "linux" else None
    if setpriv is None:
        return ()
    prefix = (setpriv, "--pdeathsig", number.name.removeprefix("SIG"))
    # Older ones lack the option.
    known = subprocess.run([*prefix, "true"], env=ENVIRONMENT, capture_output=True, check=False)  # noqa: S603 - constants
    return prefix if known.returncode == 0 else ()


def _start_guard(log: Path, lock: int) -> subprocess.Popen[bytes]:
    with _open_log(log) as output:
        return subprocess.Popen(  # noqa: S603 - a script of this package
            [sys.executable, "-I", "-S", guard.__file__],
            env=ENVIRONMENT,
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            bufsize=0,
            pass_fds=(lock,),
            start_new_session=True,
        )


def _open_log(path: Path) -> BinaryIO:
    """Open for appending, for our eyes only; keep one old log of a bounded size."""
    if path.exists() and path.stat().st_size > ROTATE_AT_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return open(path, "ab", opener=lambda name, flags: os.open(name, flags, 0o600))


def _spec(program: Program, lock: int) -> guard.Spec:
    return guard.Spec(
        argv=[*program.prefix, *death_signal(program.stop_signal), *program.argv],
        env=dict(ENVIRONMENT),
        cwd=str(program.cwd),
        stdin=program.stdin,
        stop_signal=int(program.stop_signal),
        grace_seconds=program.grace_seconds,
        owner=os.getpid(),
        lock=lock,
        uid=program.uid,
        gid=program.gid,
    )
