"""A PostgreSQL server."""

import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Final

from scheduler.adapters.embedded.binaries import postgres_programs
from scheduler.adapters.embedded.cluster import DATABASE, ROLE, SUPERUSER, Cluster, access_rules
from scheduler.adapters.embedded.errors import EmbeddedServerError, PortInUseError, StillClosingError
from scheduler.adapters.embedded.guarded_process import ENVIRONMENT, Program
from scheduler.adapters.embedded.password_file import kept_password
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
    """PostgreSQL from the wheel, with a database named `scheduler` and a role of that name, which owns it.

    The role and the superuser `postgres` have passwords in the files `password` and `superuser_password` of the data
    directory, drawn at the first start. A file that was removed is made anew, with the password, at the next start.
    """

    name = "PostgreSQL"
    short_name = "postgres"

    def __init__(
        self,
        data_dir: Path,
        port: int | None = None,
        *,
        settings: Mapping[str, str] = MappingProxyType({}),
        run_as: RunAs | None = None,
        parents: Sequence[Path] = (),
        start_timeout: float = 60.0,
        stop_timeout: float = 60.0,
        choose_port: Callable[[], int] = free_port,
    ) -> None:
        """Keep the settings (names of postgresql.conf).

        `parents` are further directories that the server's user, where it is another one, may pass through.
        """
        super().__init__(
            data_dir, port, start_timeout=start_timeout, stop_timeout=stop_timeout, choose_port=choose_port
        )
        self._parents = parents
        self._passwords: Mapping[str, str] = {}
        self._settings = {**SETTINGS, **settings}
        self._wanted_run_as = run_as

    @cached_property
    def _run_as(self) -> RunAs:
        return self._wanted_run_as or choose_run_as(postgres_programs())

    @property
    def url(self) -> str:
        """The address for clients, with the password of a role that owns the database and no more."""
        return self.url_of(DATABASE)

    @property
    def superuser_url(self) -> str:
        """The address for who may do everything with the server, files and programs of its user included."""
        return self._url(SUPERUSER, DATABASE)

    def url_of(self, database: str) -> str:
        """Return the address of another of its databases."""
        return self._url(ROLE, database)

    def _url(self, role: str, database: str) -> str:
        port = self.port
        return f"postgresql://{role}:{self._passwords[role]}@{HOST}:{port}/{database}"

    def _password_file(self, role: str) -> Path:
        return self.data_dir / ("password" if role == ROLE else "superuser_password")

    def _close_access(self) -> None:
        """Let nobody in until the cluster has the new password."""
        rules = access_rules(self._cluster)
        if rules.exists():
            rules.write_text("")

    def execute(self, statement: str, *, database: str = DATABASE) -> Sequence[str]:
        """Run a statement as the superuser; return its rows, a line each. Raises EmbeddedServerError."""
        done = self._psql(SUPERUSER, self.port, database, statement)
        if done.returncode != 0:
            error = done.stderr.partition("ERROR:")[2] or done.stderr
            raise EmbeddedServerError(f"{database}: {error.strip().splitlines()[0]}")
        return done.stdout.splitlines()

    @property
    def _cluster(self) -> Path:
        return self.data_dir / "pgdata"

    def _prepare(self, lock: int) -> None:
        remove_if_stale(self._cluster)
        self._run_as.open_path_to(self.data_dir, *self._parents)
        self._passwords = {
            role: kept_password(self._password_file(role), self._close_access) for role in (SUPERUSER, ROLE)
        }
        Cluster(
            path=self._cluster,
            programs=postgres_programs(),
            run_as=self._run_as,
            log=self.log,
            durable=self._settings["fsync"] != "off",
            passwords=self._passwords,
        ).prepare(lock)

    def _program(self, port: int) -> Program:
        fixed = {"port": str(port), "listen_addresses": HOST, "unix_socket_directories": ""}
        settings = {**self._settings, **fixed}
        options = (word for name, value in settings.items() for word in ("-c", f"{name}={value}"))
        command = self._run_as.command(postgres_programs(), self._cluster)
        return Program(
            argv=(str(command.programs / "postgres"), "-D", str(command.folder), *options),
            cwd=self.data_dir,
            log=self.log,
            stop_signal=signal.SIGINT,  # fast shutdown: sessions are ended, a checkpoint is written
            grace_seconds=self._stop_timeout,
            prefix=command.prefix,
            uid=command.uid,
            gid=command.gid,
        )

    def _answers(self, pid: int, port: int) -> bool:
        return is_ready(self._cluster, pid) and self._query(port)

    def _query(self, port: int) -> bool:
        asked = self._psql(ROLE, port, DATABASE, "SELECT 1")
        if "password authentication failed" in asked.stderr:
            file = self._password_file(ROLE)
            raise EmbeddedServerError(f"PostgreSQL refuses the password in {file}: remove the file to get a new one")
        return asked.stdout.strip() == "1"

    def _psql(self, role: str, port: int, database: str, statement: str) -> "subprocess.CompletedProcess[str]":
        where = ("-h", HOST, "-p", str(port), "-U", role, "-d", database)
        secrets = {"PGPASSWORD": self._passwords[role], "PGPASSFILE": "/dev/null", "PGCONNECT_TIMEOUT": "2"}
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
