"""A real PgBouncer in transaction mode, in front of a server of the tests."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType, TracebackType
from typing import Final, Self

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from scheduler.adapters.embedded.ports import free_port

MISSING: Final = "" if shutil.which("pgbouncer") else "pgbouncer is not installed"
needs_pgbouncer = pytest.mark.skipif(bool(MISSING), reason=MISSING)

HOST: Final = "127.0.0.1"
POOL_SIZE: Final = 6
"""Sessions of the server that all clients of one database share."""
START_SECONDS: Final = 20.0
SETTINGS: Final[Mapping[str, str | int]] = MappingProxyType(
    {
        "listen_addr": HOST,
        "unix_socket_dir": "",
        "auth_type": "any",
        "pool_mode": "transaction",
        "default_pool_size": POOL_SIZE,
        "max_client_conn": 1000,
        # As docs/scaling.md recommends: a server that is away is reported soon, and found soon when it is back.
        "query_wait_timeout": 5,
        "server_login_retry": 1,
        "server_connect_timeout": 2,
    }
)


class PgBouncer:
    """Runs from `start` to `stop`. Asks clients for no password, and knows the server's."""

    def __init__(self, server_url: str, *, settings: Mapping[str, str | int] = MappingProxyType({})) -> None:
        self._server_url = server_url
        self._settings = {**SETTINGS, "listen_port": free_port(), **settings}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        return int(self._settings["listen_port"])

    def url(self, server_url: str) -> str:
        """Return the address of the same database behind the pooler."""
        server = conninfo_to_dict(server_url)
        return f"postgresql://{server['user']}@{HOST}:{self.port}/{server['dbname']}?sslmode=disable"

    def start(self) -> Self:
        """Start, and return when the server answers through it."""
        self._launch()
        self._await(lambda: psycopg.connect(self.url(self._server_url), connect_timeout=2).close())
        return self

    def restart_if_dead(self) -> None:
        """Do as a service manager does: 1.18 may end by itself when a server freezes under cancelled statements."""
        if self._process is not None and self._process.poll() is not None:
            self._launch()

    def _launch(self) -> None:
        # It refuses to run as root.
        user = ["--user", "nobody"] if os.geteuid() == 0 else []
        with tempfile.NamedTemporaryFile("w", prefix="pgbouncer-", suffix=".ini") as configuration:
            configuration.write(self._configuration())
            configuration.flush()
            self._process = subprocess.Popen(
                ["pgbouncer", "--quiet", *user, configuration.name],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            self._await(lambda: socket.create_connection((HOST, self.port)).close())

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _configuration(self) -> str:
        server = conninfo_to_dict(self._server_url)
        login = {key: server[key] for key in ("host", "port", "user", "password") if server.get(key)}
        lines = ["[databases]", "* = " + " ".join(f"{key}={value}" for key, value in login.items())]
        return "\n".join([*lines, "[pgbouncer]", *(f"{key} = {value}" for key, value in self._settings.items()), ""])

    def _await(self, connect: Callable[[], None]) -> None:
        assert self._process is not None
        give_up = time.monotonic() + START_SECONDS
        while time.monotonic() < give_up:
            assert self._process.poll() is None, "pgbouncer ended at its start"
            with suppress(psycopg.OperationalError, OSError):
                connect()
                return
            time.sleep(0.02)
        pytest.fail(f"pgbouncer does not answer after {START_SECONDS:g} s")
