"""The whole scheduler on embedded servers: PostgreSQL, Valkey, api, worker and reaper as children of this process."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from scheduler.adapters.cockroach import Migrator, StoreSettings
from scheduler.adapters.embedded import EmbeddedPostgres, EmbeddedValkey
from scheduler.adapters.embedded.ports import free_ports, require_free
from scheduler.adapters.http.probe import ask
from scheduler.domain.errors import SchedulerError
from scheduler.entrypoints.children import STOP_SECONDS, Child, stop_all
from scheduler.entrypoints.kept_server import KeptServer
from scheduler.entrypoints.settings import DB_TX_VARIABLES, SECRET_VARIABLES, SettingsError

HOST = "127.0.0.1"
MAX_METRICS_PORT = 65533
READY_SECONDS = 60.0
POLL_SECONDS = 0.02
ANSWER_SECONDS = 3.0


class StackError(SchedulerError):
    """A part of the stack did not start; the message names it and its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackPorts:
    """Where the parts listen, on loopback only."""

    grpc: int
    api_metrics: int
    worker_metrics: int
    reaper_metrics: int

    @classmethod
    def choose(cls, *, grpc: int | None = None, metrics: int | None = None) -> Self:
        """Take free ports where none or 0 is given; `metrics` is the first of three in a row. Raises SettingsError."""
        if metrics and metrics > MAX_METRICS_PORT:
            raise SettingsError(
                f"METRICS_PORT: must be 1 to {MAX_METRICS_PORT}, or 0 for free ports: worker and reaper take the next"
            )
        free, *three_free = free_ports(4)
        first, second, third = range(metrics, metrics + 3) if metrics else three_free
        return cls(
            grpc=grpc or free,
            api_metrics=first,
            worker_metrics=second,
            reaper_metrics=third,
        )

    def require_free(self) -> None:
        """Raise an error that names the port when somebody listens on one of them, or two parts were given the same."""
        metrics = (self.api_metrics, self.worker_metrics, self.reaper_metrics)
        if self.grpc in metrics:
            raise StackError(f"port {self.grpc} is asked for twice: metrics take {metrics[0]} to {metrics[-1]}")
        for port in (self.grpc, *metrics):
            require_free(port)


class Stack:
    """Starts everything in order, and stops it in the opposite one. Data and logs stay in `data_dir`."""

    def __init__(
        self,
        *,
        data_dir: Path,
        grpc_port: int | None = None,
        metrics_port: int | None = None,
        api_processes: int = 1,
        worker_processes: int = 1,
        grace_seconds: float = 0.0,
        environment: dict[str, str | int] | None = None,
        prepare: Callable[[EmbeddedPostgres], Mapping[str, str]] = lambda _: {},
    ) -> None:
        """Keep what is needed; children that are still there STOP_SECONDS after `grace_seconds` are killed.

        `prepare` is called when the servers run, and returns further variables for the worker;
        DATABASE_URL and REDIS_URL are for all.
        """
        self._data_dir = data_dir
        self._environment_file = data_dir / "environment"
        self.log_directory = data_dir / "logs"
        self.ports = StackPorts.choose(grpc=grpc_port, metrics=metrics_port)
        self.postgres = EmbeddedPostgres(data_dir / "postgres", parents=[data_dir])
        self.valkey = EmbeddedValkey(data_dir / "valkey")
        self.servers = [KeptServer(self.postgres), KeptServer(self.valkey)]
        self._environment = environment or {}
        self._prepare = prepare
        self._stop_seconds = grace_seconds + STOP_SECONDS
        self.api = self._child("api", self.ports.api_metrics, api_processes)
        self.worker = self._child("worker", self.ports.worker_metrics, worker_processes)
        self.reaper = self._child("reaper", self.ports.reaper_metrics, 1)

    @property
    def children(self) -> list[Child]:
        """Return our own processes, in the order in which they stop."""
        return [self.api, self.worker, self.reaper]

    @property
    def address(self) -> str:
        """Return where the API listens."""
        return f"{HOST}:{self.ports.grpc}"

    @property
    def metrics_address(self) -> str:
        """Return where the API's metrics are."""
        return f"http://{HOST}:{self.ports.api_metrics}/metrics"

    def start(self) -> None:
        """Return once everything is ready; raise a SchedulerError of one line, with everything stopped again."""
        self.ports.require_free()
        self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.log_directory.mkdir(exist_ok=True)
        self.log_directory.chmod(0o700)
        try:
            for server in self.servers:
                server.start()
            asyncio.run(Migrator(StoreSettings(url=self.postgres.url)).migrate())
            self._write_environment()
            servers: Mapping[str, str] = {"DATABASE_URL": self.postgres.url, "REDIS_URL": self.valkey.url}
            prepared = {**servers, **self._prepare(self.postgres)}
            for child in self.children:
                kept = {name: value for name, value in prepared.items() if name in servers or child is self.worker}
                child.environment |= kept
                child.start()
            self._await_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop our processes gracefully, then the servers; stopping twice is harmless."""
        stop_all(self.children, self._stop_seconds)
        self._environment_file.unlink(missing_ok=True)
        self.valkey.stop()
        self.postgres.stop()

    def dead_process(self) -> str | None:
        """Name a part that ended by itself, or None while all run."""
        for child in self.children:
            if child.exit_code() is not None:
                return f"{child.name} (exit code {child.exit_code()}, see {child.log})"
        for server in (self.postgres, self.valkey):
            if not server.is_alive():
                return f"{server.name} (see {server.log})"
        return None

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def _write_environment(self) -> None:
        """Let the owner of the data, and no other user, reach the servers: with this file as a shell's variables."""
        url = urlsplit(self.postgres.url)
        variables = {
            "DATABASE_URL": self.postgres.url,
            "PGHOST": HOST,
            "PGPORT": self.postgres.port,
            "PGUSER": url.username,
            "PGPASSWORD": url.password,
            "PGDATABASE": url.path[1:],
            "REDIS_URL": self.valkey.url,
            "REDIS_PORT": self.valkey.port,
            "REDISCLI_AUTH": urlsplit(self.valkey.url).password,
        }
        self._environment_file.unlink(missing_ok=True)
        self._environment_file.touch(mode=0o600, exist_ok=False)
        self._environment_file.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))

    def _child(self, kind: str, metrics_port: int, processes: int) -> Child:
        return Child(
            name=kind,
            arguments=[kind, *(["--processes", str(processes)] if processes > 1 else [])],
            environment={
                "GRPC_HOST": HOST,
                "GRPC_PORT": self.ports.grpc,
                "METRICS_HOST": HOST,
                "METRICS_PORT": metrics_port,
                **self._environment,
            },
            withheld=SECRET_VARIABLES if kind != "worker" else SECRET_VARIABLES - DB_TX_VARIABLES,
            log=self.log_directory / f"{kind}.log",
        )

    def _await_ready(self) -> None:
        waiting = [self.ports.api_metrics, self.ports.worker_metrics, self.ports.reaper_metrics]
        deadline = time.monotonic() + READY_SECONDS
        while waiting := [port for port in waiting if not _is_ready(port)]:
            if dead := self.dead_process():
                raise StackError(f"{dead} did not start")
            if time.monotonic() > deadline:
                raise StackError(f"not ready after {READY_SECONDS:g} s, see {self.log_directory}")
            time.sleep(POLL_SECONDS)


def _is_ready(metrics_port: int) -> bool:
    try:
        return ask(HOST, metrics_port, "/ready", timeout=ANSWER_SECONDS).is_good
    except OSError:
        return False
