"""A child of this process, which a thread starts and waits for."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Self, TypeVar

T = TypeVar("T")


class SpawnedProcess:
    """A Python module that runs in a process of its own; its session is its own, too. Made by `start`.

    The event loop starts none: uvloop forks, and runs Python's hooks in the child, which may wait for ever for what
    another thread held at that moment. `subprocess` runs no hook, and copies no memory where there is vfork.
    """

    def __init__(self, process: subprocess.Popen[bytes], exit_code: asyncio.Future[int]) -> None:
        self._process = process
        self.exit_code = exit_code
        """Is done when the process has ended; negative for a signal."""

    @classmethod
    async def start(cls, module: str, arguments: Sequence[str], descriptors: Sequence[int]) -> Self:
        """Start a process that inherits these descriptors and no other; raise OSError."""
        spawner = _Spawner([sys.executable, "-P", "-m", module, *arguments], descriptors)
        try:
            spawner.start()
        except RuntimeError as error:
            raise OSError(str(error)) from error
        outcome = await spawner.started
        if isinstance(outcome, OSError):
            raise outcome
        return cls(outcome, spawner.ended)

    @property
    def pid(self) -> int:
        """Return the process id, which is its process group's too."""
        return self._process.pid

    def terminate(self) -> None:
        """Send SIGTERM, unless it has ended."""
        with suppress(ProcessLookupError):
            self._process.terminate()


class _Spawner(threading.Thread):
    """Lives as long as its process."""

    def __init__(self, command: Sequence[str], descriptors: Sequence[int]) -> None:
        super().__init__(name="handler process", daemon=True)
        self._command = command
        self._descriptors = descriptors
        self._loop = asyncio.get_running_loop()
        self.started: asyncio.Future[subprocess.Popen[bytes] | OSError] = self._loop.create_future()
        self.ended: asyncio.Future[int] = self._loop.create_future()

    def run(self) -> None:
        try:
            process = _spawn(self._command, self._descriptors)
        except OSError as error:
            self._tell(self.started, error)
            return
        self._tell(self.started, process)
        self._tell(self.ended, process.wait())

    def _tell(self, future: asyncio.Future[T], value: T) -> None:
        # A worker that has ended closed its loop.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(_settle, future, value)


def _spawn(command: Sequence[str], descriptors: Sequence[int]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own program
        command,
        stdin=subprocess.DEVNULL,
        pass_fds=descriptors,
        # Ctrl-C at a terminal is for the worker, which then decides; and what handlers start ends with them.
        start_new_session=True,
    )


def _settle(future: asyncio.Future[T], value: T) -> None:
    if not future.done():
        future.set_result(value)
