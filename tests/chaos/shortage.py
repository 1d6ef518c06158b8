"""Locks, disk space and processor time that something else holds."""

import errno
import os
import subprocess
import sys
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psycopg

DISK_MEGABYTES: Final = 768
_BURN: Final = "import sys, time\nend = time.monotonic() + float(sys.argv[1])\nwhile time.monotonic() < end: pass"


def hold_jobs(url: str) -> ExitStack:
    """Take the strongest lock on the table of jobs; it is held until the stack closes."""
    held = ExitStack()
    with suppress(psycopg.OperationalError):
        connection = held.enter_context(closing(psycopg.connect(url, connect_timeout=2)))
        connection.execute("SET lock_timeout = '5s'")
        connection.execute("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE")
    return held


def rewrite_jobs(url: str) -> None:
    """Rewrite the table of jobs under the strongest lock."""
    with suppress(psycopg.OperationalError), psycopg.connect(url, connect_timeout=2, autocommit=True) as connection:
        connection.execute("SET lock_timeout = '5s'")
        connection.execute("VACUUM FULL jobs")


def burn(processes: int, seconds: float) -> ExitStack:
    """Compute for nothing, for so long at most; it ends when the stack closes."""
    burning = ExitStack()
    for _ in range(processes):
        process = subprocess.Popen([sys.executable, "-I", "-c", _BURN, str(seconds)])
        burning.callback(process.wait)
        burning.callback(process.kill)
    return burning


class SmallDisk:
    """A directory, where it is wanted and this process may mount one on a disk of its own."""

    def __init__(self, path: Path, *, wanted: bool) -> None:
        self.path = path
        self.why_not = "" if wanted else "no small disk is wanted"
        """Why it cannot be filled."""

    def fill(self) -> None:
        """Leave no byte free."""
        block = 1 << 20
        with self._filler.open("wb", buffering=0) as file:
            while block >= 512:
                try:
                    file.write(b"\0" * block)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    block //= 2

    def free(self) -> None:
        self._filler.unlink(missing_ok=True)

    @property
    def _filler(self) -> Path:
        return self.path / "filler"

    def __enter__(self) -> Self:
        self.path.mkdir(parents=True, exist_ok=True)
        if self.why_not:
            return self
        options = f"size={DISK_MEGABYTES}m,mode=0755"
        try:
            self._run("mount", "-t", "tmpfs", "-o", options, "chaos", str(self.path))
        except (OSError, subprocess.CalledProcessError) as error:
            self.why_not = f"no tmpfs can be mounted here: {error}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self.why_not:
            self.free()
            self._run("umount", "--lazy", str(self.path))

    def _run(self, *command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "LC_ALL": "C"})
