"""A Valkey server, the Redis-compatible one."""

import signal
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Final
from urllib.parse import quote

from scheduler.adapters.embedded.binaries import valkey_program
from scheduler.adapters.embedded.errors import EmbeddedServerError, PortInUseError
from scheduler.adapters.embedded.guarded_process import Program
from scheduler.adapters.embedded.ports import HOST, free_port
from scheduler.adapters.embedded.server import EmbeddedServer

# Short, because somebody else on our port may never answer; a slow server is asked again.
ANSWER_SECONDS: Final = 0.5
# The append-only file holds everything: snapshots beside it would only cost.
SETTINGS: Final = MappingProxyType({"appendonly": "yes", "appendfsync": "everysec", "save": ""})


class EmbeddedValkey(EmbeddedServer):
    """Valkey from the wheel, with an append-only file."""

    name = "Valkey"
    short_name = "valkey"

    def __init__(
        self,
        data_dir: Path,
        port: int | None = None,
        *,
        password: str | None = None,
        settings: Mapping[str, str] = MappingProxyType({}),
        start_timeout: float = 60.0,
        stop_timeout: float = 60.0,
        choose_port: Callable[[], int] = free_port,
    ) -> None:
        """Keep the password, which may change from start to start, and further settings of valkey.conf."""
        super().__init__(
            data_dir, port, start_timeout=start_timeout, stop_timeout=stop_timeout, choose_port=choose_port
        )
        self._password = password
        self._settings = {**SETTINGS, **settings}

    @property
    def url(self) -> str:
        """The address for clients, with the password if there is one."""
        secret = "" if self._password is None else f":{quote(self._password, safe='')}@"
        return f"redis://{secret}{HOST}:{self.port}/0"

    def _prepare(self, lock: int) -> None:
        """Need nothing: Valkey makes its own files."""

    def _program(self, port: int) -> Program:
        fixed = {"port": str(port), "bind": HOST, "dir": str(self.data_dir), "daemonize": "no", "logfile": ""}
        settings = {**self._settings, **fixed}
        options = (word for name, value in settings.items() for word in (f"--{name}", value))
        return Program(
            # "-": the password comes through standard input, where no list of processes shows it.
            argv=(str(valkey_program()), "-", *options),
            cwd=self.data_dir,
            log=self.log,
            stdin="" if self._password is None else f"requirepass {_quoted(self._password)}\n",
            stop_signal=signal.SIGTERM,
            grace_seconds=self._stop_timeout,
        )

    def _answers(self, pid: int, port: int) -> bool:
        login = [] if self._password is None else [("AUTH", self._password)]
        try:
            replies = _ask(port, [*login, ("PING",), ("INFO", "server")])
        except (OSError, EOFError):
            return False
        return replies[-2] == b"+PONG" and b"process_id:%d\r\n" % pid in replies[-1]

    def _why(self, log: str, port: int) -> EmbeddedServerError:
        if "Address already in use" in log:
            return PortInUseError(port)
        last = log.strip().rpartition("\n")[2].strip()
        return EmbeddedServerError(f"Valkey did not start: {last} (log: {self.log})")


def _quoted(text: str) -> str:
    """Quote a value for valkey.conf: any byte may be written as a number."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in text.encode()) + '"'


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
