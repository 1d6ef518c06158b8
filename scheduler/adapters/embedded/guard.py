"""Tie one program to the life of the process that wants it: a script with a process of its own, one per server.

It is the server's parent, in a session of its own (Ctrl-C in the terminal does not reach it), and holds a pipe to its
owner. When the owner ends, in whatever way and during whatever step, the pipe ends, and the guard stops the server.
PR_SET_PDEATHSIG alone would not do: it fires when the *thread* that spawned the server ends, and only on Linux.

Standard input: one line of JSON (Spec), then commands, one a line: stop, kill, freeze, thaw.
Standard output: `pid N` or `error TEXT`, then `ok` after each freeze and thaw.
Exit status: the server's; 128 + the signal's number when a signal ended it.

It is run without the site packages (20 ms), hence imports the standard library only.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

STDIN: Final = 0
STDOUT: Final = 1
STDERR: Final = 2
TICK_SECONDS: Final = 1.0
SPAWN_FAILED: Final = 127


class Spec(NamedTuple):
    """What to run and how to end it."""

    argv: list[str]
    env: dict[str, str]
    cwd: str
    stdin: str
    stop_signal: int
    grace_seconds: float
    owner: int
    lock: int
    uid: int | None
    gid: int | None


class Guard:
    """Watches one server: its end, its owner's end, its owner's commands."""

    def __init__(self, spec: Spec, server: subprocess.Popen[bytes], wakeups: int) -> None:
        self._spec = spec
        self._server = server
        self._wakeups = wakeups
        self._inputs = [STDIN, wakeups]
        self._unread = b""
        self._deadline: float | None = None

    def run(self) -> int:
        """Serve until the server has ended."""
        while (status := self._server.poll()) is None:
            self._step()
        return status

    def _step(self) -> None:
        ready, _, _ = select.select(self._inputs, [], [], TICK_SECONDS)
        if self._wakeups in ready:
            os.read(self._wakeups, 4096)
        if STDIN in ready:
            self._read_commands()
        # A child that the owner forked without exec holds the pipe open, but it is not our parent.
        if os.getppid() != self._spec.owner:
            self._stop()
        if self._deadline is not None and time.monotonic() > self._deadline:
            self._kill()

    def _read_commands(self) -> None:
        chunk = os.read(STDIN, 4096)
        if not chunk:
            self._inputs.remove(STDIN)
            self._stop()
        *lines, self._unread = (self._unread + chunk).split(b"\n")
        for line in lines:
            self._obey(line.decode())

    def _obey(self, command: str) -> None:
        match command:
            case "stop":
                self._stop()
            case "kill":
                self._kill()
            case "freeze":
                freeze(self._server.pid)
                say("ok")
            case "thaw":
                thaw(self._server.pid)
                say("ok")
            case _:
                pass

    def _stop(self) -> None:
        if self._deadline is None:
            self._deadline = time.monotonic() + self._spec.grace_seconds
            disown(self._spec.lock)
            self._server.send_signal(self._spec.stop_signal)
            thaw(self._server.pid)  # a frozen server would not hear the signal

    def _kill(self) -> None:
        disown(self._spec.lock)
        for pid in tree(self._server.pid):
            send(pid, signal.SIGKILL)


def own(lock: int, owner: int) -> None:
    """Write into the locked file for whom the server runs."""
    disown(lock)
    os.pwrite(lock, b"%d\n" % owner, 0)


def disown(lock: int) -> None:
    """Say in the locked file that the server ends: who waits for the lock waits a little longer."""
    os.ftruncate(lock, 0)


def freeze(pid: int) -> None:
    """Stop the whole tree, parents first, so that nobody starts a process that we do not see."""
    frozen: set[int] = set()
    while fresh := [each for each in tree(pid) if each not in frozen]:
        for each in fresh:
            send(each, signal.SIGSTOP)
        frozen.update(fresh)


def thaw(pid: int) -> None:
    """Let the whole tree go on, children first."""
    for each in reversed(tree(pid)):
        send(each, signal.SIGCONT)


def send(pid: int, number: signal.Signals) -> None:
    """Signal a process that may just have ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def tree(root: int) -> list[int]:
    """List a process and its descendants, parents first."""
    parents = parents_on_linux() if sys.platform == "linux" else parents_from_ps()
    found = [root]
    for pid in found:  # grows while it is read
        found.extend(child for child, parent in parents.items() if parent == pid)
    return found


def parents_on_linux() -> dict[int, int]:
    """Map each process to its parent; slim images have no ps."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # it may have ended
                stat = (entry / "stat").read_bytes()
                parents[int(entry.name)] = int(stat.rpartition(b")")[2].split()[1])
    return parents


def parents_from_ps() -> dict[int, int]:
    """Map each process to its parent, where there is no /proc."""
    listing = subprocess.run(["/bin/ps", "-A", "-o", "pid=,ppid="], capture_output=True, check=True)
    return {int(pid): int(parent) for pid, parent in map(bytes.split, listing.stdout.splitlines())}


def say(line: str) -> None:
    """Tell the owner, if it still listens."""
    with suppress(BrokenPipeError):
        os.write(STDOUT, line.encode() + b"\n")


def read_spec() -> Spec | None:
    """Read the first line; None when the owner ended before it was complete."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(STDIN, 1)
        if not byte:
            return None
        line += byte
    return Spec(**json.loads(line))


def watch_signals() -> int:
    """Make each ended child readable on the returned descriptor, and outlive signals meant for a whole group.

    Handlers, not SIG_IGN: the server would inherit an ignored signal.
    """
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    return readable


def spawn(spec: Spec) -> subprocess.Popen[bytes]:
    """Run the server; it writes to our standard error, which is its log."""
    server = subprocess.Popen(  # noqa: S603 - our owner's own command
        spec.argv,
        env=spec.env,
        cwd=spec.cwd,
        stdin=subprocess.PIPE,
        stdout=STDERR,
        stderr=STDERR,
        pass_fds=(spec.lock,),
        user=spec.uid,
        group=spec.gid,
        extra_groups=None if spec.uid is None else [],
    )
    feed(server, spec.stdin.encode())
    return server


def feed(server: subprocess.Popen[bytes], text: bytes) -> None:
    """Write the whole standard input; it is short enough for the pipe's buffer."""
    if server.stdin is not None:
        with suppress(BrokenPipeError), server.stdin as pipe:  # one that has ended has a status to tell
            pipe.write(text)


def main() -> int:
    """Guard one server."""
    wakeups = watch_signals()
    spec = read_spec()
    if spec is None:
        return 0
    own(spec.lock, spec.owner)
    try:
        server = spawn(spec)
    except OSError as error:
        say(f"error {error}")
        return SPAWN_FAILED
    say(f"pid {server.pid}")
    status = Guard(spec, server, wakeups).run()
    disown(spec.lock)
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
