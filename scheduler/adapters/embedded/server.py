"""The life of an embedded server, whichever it is."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from scheduler.adapters.embedded.directory_lock import locked
from scheduler.adapters.embedded.errors import EmbeddedServerError, PortInUseError, StillClosingError
from scheduler.adapters.embedded.guarded_process import GuardedProcess, Program
from scheduler.adapters.embedded.ports import free_port, require_free

POLL_SECONDS: Final = 0.02
# How long we look for a port, or wait for an earlier server to be gone altogether.
RETRY_SECONDS: Final = 10.0


class EmbeddedServer(ABC):
    """A server on 127.0.0.1 whose data live in a directory, and which never outlives this process.

    It stops cleanly when this process ends in any way, kill -9 included. One thread at a time may call it, any thread
    may start it. A port that was drawn is kept over restarts of the same object.
    """

    name: str
    short_name: str

    def __init__(
        self,
        data_dir: Path,
        port: int | None = None,
        *,
        start_timeout: float = 60.0,
        stop_timeout: float = 60.0,
        choose_port: Callable[[], int] = free_port,
    ) -> None:
        """Prepare; nothing runs before start().

        Timeouts in seconds: `start_timeout` covers the recovery after a crash; a server that has not stopped cleanly
        within `stop_timeout` is killed.
        """
        self.data_dir = data_dir.absolute()
        self._port = port
        self._start_timeout = start_timeout
        self._stop_timeout = stop_timeout
        self._choose_port = choose_port
        self._process: GuardedProcess | None = None

    @property
    def log(self) -> Path:
        """Where the server logs."""
        return self.data_dir / f"{self.short_name}.log"

    @property
    def port(self) -> int:
        """The TCP port; known after the first start at the latest."""
        if self._port is None:
            raise EmbeddedServerError(f"{self.name} has no port before its first start")
        return self._port

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        return self._running().pid

    @property
    @abstractmethod
    def url(self) -> str:
        """The address for clients, with the password."""

    def start(self) -> None:
        """Return when the server answers a query; a server that already runs is left alone.

        Raises PortInUseError, DirectoryInUseError, or EmbeddedServerError with the server's own last words.
        """
        if self.is_alive():
            return
        self._forget()
        try:
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            with locked(self.log.with_suffix(".lock")) as lock:
                if self._port is not None:
                    require_free(self._port)
                self._prepare(lock)
                self._process = self._launch(lock)
        except OSError as error:
            raise EmbeddedServerError(f"{self.name} cannot use {self.data_dir}: {error}") from error

    def stop(self) -> None:
        """End the server cleanly: all its data are on disk. A server that does not run is fine."""
        if self._process is not None:
            self._process.stop()
            self._forget()

    def kill(self) -> None:
        """End the server as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._forget()

    def restart(self) -> None:
        """Stop cleanly and start again, on the same port."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Suspend all processes of the server: connections stay open and nothing answers."""
        self._running().freeze()

    def thaw(self) -> None:
        """Undo freeze()."""
        self._running().thaw()

    def is_alive(self) -> bool:
        """Tell whether the server runs; False once it has ended, by itself or by us."""
        return self._process is not None and self._process.poll() is None

    def exit_code(self) -> int | None:
        """Return how it ended by itself; None while it runs and when it was not started."""
        return None if self._process is None else self._process.poll()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @abstractmethod
    def _prepare(self, lock: int) -> None:
        """Make the data directory ready."""

    @abstractmethod
    def _program(self, port: int) -> Program:
        """Say how the server is run."""

    @abstractmethod
    def _answers(self, pid: int, port: int) -> bool:
        """Ask the server a question; another server on the same port does not count."""

    @abstractmethod
    def _why(self, log: str, port: int) -> EmbeddedServerError:
        """Explain, from what it logged, why the server ended during its start."""

    def _running(self) -> GuardedProcess:
        if self._process is None or self._process.poll() is not None:
            raise EmbeddedServerError(f"{self.name} is not running")
        return self._process

    def _forget(self) -> None:
        """Let go of a server that has ended."""
        if self._process is not None:
            self._process.wait(self._stop_timeout)
            self._process = None

    def _launch(self, lock: int) -> GuardedProcess:
        give_up = time.monotonic() + RETRY_SECONDS
        while True:
            port = self._choose_port() if self._port is None else self._port
            try:
                process = self._run(port, lock)
            except PortInUseError:
                # Somebody was faster between our choice and the bind: choose again.
                if self._port is not None or time.monotonic() > give_up:
                    raise
            except StillClosingError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(POLL_SECONDS)
            else:
                self._port = port
                return process

    def _run(self, port: int, lock: int) -> GuardedProcess:
        logged = self._log_size()
        process = GuardedProcess(self._program(port), lock)
        try:
            self._await_answer(process, port, logged)
        except BaseException:
            process.kill()
            raise
        return process

    def _await_answer(self, process: GuardedProcess, port: int, logged: int) -> None:
        give_up = time.monotonic() + self._start_timeout
        while not self._answers(process.pid, port):
            if process.poll() is not None:
                raise self._why(self._log_after(logged), port)
            if time.monotonic() > give_up:
                raise EmbeddedServerError(
                    f"{self.name} does not answer after {self._start_timeout:g} s; its log is {self.log}"
                )
            time.sleep(POLL_SECONDS)

    def _log_size(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0

    def _log_after(self, offset: int) -> str:
        with self.log.open("rb") as log:
            # A rotated log starts again.
            log.seek(offset if offset <= self._log_size() else 0)
            return log.read().decode(errors="replace")
