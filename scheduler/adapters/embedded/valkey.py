"""A Valkey server, the Redis-compatible one."""

import signal
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Final

from scheduler.adapters.embedded.binaries import valkey_program
from scheduler.adapters.embedded.errors import EmbeddedServerError, PortInUseError
from scheduler.adapters.embedded.guarded_process import Program
from scheduler.adapters.embedded.password_file import kept_password
from scheduler.adapters.embedded.ports import HOST, free_port
from scheduler.adapters.embedded.server import EmbeddedServer

# Short, because somebody else on our port may never answer; a slow server is asked again.
ANSWER_SECONDS: Final = 0.5
# The append-only file holds everything: snapshots beside it would only cost.
SETTINGS: Final = MappingProxyType({"appendonly": "yes", "appendfsync": "everysec", "save": ""})


class EmbeddedValkey(EmbeddedServer):
    """Valkey from the wheel, with an append-only file.

    Its password is in the file `password` of the data directory, drawn at the first start; a file that was removed is
    made anew, with the password, at the next start.
    """

    name = "Valkey"
    short_name = "valkey"

    def __init__(
        self,
        data_dir: Path,
        port: int | None = None,
        *,
        settings: Mapping[str, str] = MappingProxyType({}),
        start_timeout: float = 60.0,
        stop_timeout: float = 60.0,
        choose_port: Callable[[], int] = free_port,
    ) -> None:
        """Keep further settings of valkey.conf."""
        super().__init__(
            data_dir, port, start_timeout=start_timeout, stop_timeout=stop_timeout, choose_port=choose_port
        )
        self._password = ""
        self._settings = {**SETTINGS, **settings}

    @property
    def url(self) -> str:
        """The address for clients, with the password."""
        port = self.port
        return f"redis://:{self._password}@{HOST}:{port}/0"

    def _prepare(self, lock: int) -> None:  # noqa: ARG002 - only PostgreSQL runs programs before the server
        self._password = kept_password(self.data_dir / "password")

    def _program(self, port: int) -> Program:
        fixed = {"port": str(port), "bind": HOST, "dir": str(self.data_dir), "daemonize": "no", "logfile": ""}
        settings = {**self._settings, **fixed}
        options = (word for name, value in settings.items() for word in (f"--{name}", value))
        return Program(
            # "-": the password comes through standard input, where no list of processes shows it.
            argv=(str(valkey_program()), "-", *options),
            cwd=self.data_dir,
            log=self.log,
            stdin=f"requirepass {self._password}\n",
            stop_signal=signal.SIGTERM,
            grace_seconds=self._stop_timeout,
        )

    def _answers(self, pid: int, port: int) -> bool:
        try:
            replies = _ask(port, [("AUTH", self._password), ("PING",), ("INFO", "server")])
        except (OSError, EOFError):
            return False
        return replies[-2] == b"+PONG" and b"process_id:%d\r\n" % pid in replies[-1]

    def _why(self, log: str, port: int) -> EmbeddedServerError:
        if "Address already in use" in log:
            return PortInUseError(port)
        last = log.strip().rpartition("\n")[2].strip()
        return EmbeddedServerError(f"Valkey did not start: {last} (log: {self.log})")


def _ask(port: int, commands: list[tuple[str, ...]]) -> list[bytes]:
    """Send the commands and read one reply to each."""
    with socket.create_connection((HOST, port), ANSWER_SECONDS) as connection:
        connection.sendall(b"".join(map(_encode, commands)))
        with connection.makefile("rb") as replies:
            return [_read_reply(replies) for _ in commands]


def _encode(words: tuple[str, ...]) -> bytes:
    items = [b"$%d\r\n%s\r\n" % (len(raw), raw) for raw in (word.encode() for word in words)]
    return b"*%d\r\n%s" % (len(items), b"".join(items))


def _read_reply(replies: BinaryIO) -> bytes:
    """Read a status, an error or a text."""
    line = replies.readline()
    if not line:
        raise EOFError
    return replies.read(int(line[1:]) + 2) if line.startswith(b"$") else line.strip()
