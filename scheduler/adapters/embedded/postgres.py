"""A PostgreSQL server."""

import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from scheduler.adapters.embedded.binaries import postgres_programs
from scheduler.adapters.embedded.cluster import DATABASE, ROLE, Cluster
from scheduler.adapters.embedded.errors import EmbeddedServerError, PortInUseError, StillClosingError
from scheduler.adapters.embedded.guarded_process import ENVIRONMENT, Program
from scheduler.adapters.embedded.ports import HOST, free_port
from scheduler.adapters.embedded.postmaster_file import is_ready, remove_if_stale
from scheduler.adapters.embedded.run_as import RunAs, choose_run_as
from scheduler.adapters.embedded.server import EmbeddedServer

ANSWER_SECONDS: Final = 5.0
SETTINGS: Final = MappingProxyType(
    {
        "fsync": "on",
        "max_connections": "200",
        "log_destination": "stderr",
        "logging_collector": "off",
        "lc_messages": "C",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
)
# What the next start after a crash may log until the last process of the crashed server has gone.
STILL_CLOSING: Final = ('lock file "postmaster.pid" already exists', "pre-existing shared memory block")


class EmbeddedPostgres(EmbeddedServer):
    """PostgreSQL from the wheel, with a superuser and a database named `scheduler`.

    Without a password everybody on this machine may connect (trust), and nobody from elsewhere.
    """

    name = "PostgreSQL"
    short_name = "postgres"

    def __init__(
        self,
        data_dir: Path,
        port: int | None = None,
        *,
        password: str | None = None,
        settings: Mapping[str, str] = MappingProxyType({}),
        run_as: RunAs | None = None,
        start_timeout: float = 60.0,
        stop_timeout: float = 60.0,
        choose_port: Callable[[], int] = free_port,
    ) -> None:
        """Keep the settings (names of postgresql.conf), and the password, which only the first start can set."""
        super().__init__(
            data_dir, port, start_timeout=start_timeout, stop_timeout=stop_timeout, choose_port=choose_port
        )
        self._password = password
        self._settings = {**SETTINGS, **settings}
        self._wanted_run_as = run_as

    @cached_property
    def _run_as(self) -> RunAs:
        return self._wanted_run_as or choose_run_as(postgres_programs() / "postgres")

    @property
    def url(self) -> str:
        """The address for clients, with the password if there is one."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """Return the address of another of its databases."""
        secret = "" if self._password is None else f":{quote(self._password, safe='')}"
        return f"postgresql://{ROLE}{secret}@{HOST}:{self.port}/{database}"

    def execute(self, statement: str, *, database: str = DATABASE) -> Sequence[str]:
        """Run a statement as the superuser; return its rows, a line each. Raises EmbeddedServerError."""
        done = self._psql(self.port, database, statement)
        if done.returncode != 0:
            error = done.stderr.partition("ERROR:")[2] or done.stderr
            raise EmbeddedServerError(f"{database}: {error.strip().splitlines()[0]}")
        return done.stdout.splitlines()

    @property
    def _cluster(self) -> Path:
        return self.data_dir / "pgdata"

    def _prepare(self, lock: int) -> None:
        Cluster(
            path=self._cluster,
            programs=postgres_programs(),
            run_as=self._run_as,
            log=self.log,
            durable=self._settings["fsync"] != "off",
            password=self._password,
        ).prepare(lock)
        remove_if_stale(self._cluster)

    def _program(self, port: int) -> Program:
        fixed = {"port": str(port), "listen_addresses": HOST, "unix_socket_directories": ""}
        settings = {**self._settings, **fixed}
        options = (word for name, value in settings.items() for word in ("-c", f"{name}={value}"))
        return Program(
            argv=(str(postgres_programs() / "postgres"), "-D", str(self._cluster), *options),
            cwd=self.data_dir,
            log=self.log,
            stop_signal=signal.SIGINT,  # fast shutdown: sessions are ended, a checkpoint is written
            grace_seconds=self._stop_timeout,
            prefix=self._run_as.prefix,
            uid=self._run_as.uid,
            gid=self._run_as.gid,
        )

    def _answers(self, pid: int, port: int) -> bool:
        return is_ready(self._cluster, pid) and self._query(port)

    def _query(self, port: int) -> bool:
        asked = self._psql(port, DATABASE, "SELECT 1")
        if "password authentication failed" in asked.stderr:
            raise EmbeddedServerError(f"PostgreSQL in {self.data_dir} was created with another password")
        return asked.stdout.strip() == "1"

    def _psql(self, port: int, database: str, statement: str) -> "subprocess.CompletedProcess[str]":
        where = ("-h", HOST, "-p", str(port), "-U", ROLE, "-d", database)
        secrets = {"PGPASSWORD": self._password or "", "PGPASSFILE": "/dev/null", "PGCONNECT_TIMEOUT": "2"}
        return subprocess.run(  # noqa: S603 - a program of the wheel
            [postgres_programs() / "psql", "--no-psqlrc", "--no-password", "--quiet", *where, "-tAc", statement],
            env={**ENVIRONMENT, **secrets},
            capture_output=True,
            check=False,
            timeout=ANSWER_SECONDS,
            text=True,
        )

    def _why(self, log: str, port: int) -> EmbeddedServerError:
        if "Address already in use" in log:
            return PortInUseError(port)
        lines = log.strip().splitlines()
        fatal = [line for line in lines if "FATAL:" in line or "PANIC:" in line] or lines or ["it logged nothing"]
        kind = StillClosingError if any(text in log for text in STILL_CLOSING) else EmbeddedServerError
        return kind(f"PostgreSQL did not start: {fatal[-1].strip()} (log: {self.log})")
