"""Real processes on real servers, each process behind fault proxies of its own."""

import asyncio
import http
import shutil
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

from scheduler.adapters.cockroach import Migrator, StoreSettings
from scheduler.adapters.embedded import EmbeddedPostgres, EmbeddedValkey
from scheduler.adapters.embedded.ports import free_port
from scheduler.entrypoints.children import Child
from tests.acceptance.operations import get
from tests.chaos.diary import Diary
from tests.chaos.failover import FailOver, PostgresFailover, ValkeyFailover
from tests.chaos.network import HOST, Link, Network
from tests.chaos.part import Part
from tests.chaos.shortage import SmallDisk
from tests.support.pgbouncer import PgBouncer

LEASE_SECONDS = 4
GRACE_SECONDS = 2
READY_SECONDS = 60.0
_LITTLE_LOG = {"max_wal_size": "128MB", "min_wal_size": "48MB"}
"""The disk is small."""
ROOT = Path(__file__).parents[2]
WORKER_MODULE = "tests.chaos.worker_main"


class Fleet:
    """Starts with both servers and no process; `add` makes processes, which the caller starts."""

    def __init__(
        self, directory: Path, *, pooled: Collection[str] = (), small_disk: bool = False, **environment: str | int
    ) -> None:
        """Take the names of those that reach PostgreSQL through a pooler, and whether its disk should be small."""
        self.directory = directory
        self.ledger = directory / "ledger"
        self.logs = directory / "logs"
        for path in (self.ledger, self.logs):
            path.mkdir(parents=True, exist_ok=True)
        self.diary = Diary(directory / "diary.log")
        self.network = Network()
        self.disk = SmallDisk(directory / "disk", wanted=small_disk)
        self.postgres = EmbeddedPostgres(self.disk.path / "postgres", settings=_LITTLE_LOG)
        self.valkey = EmbeddedValkey(directory / "valkey")
        self.fail_overs: list[FailOver] = []
        self._sql_fail_over: PostgresFailover | None = None
        self._redis_fail_over: ValkeyFailover | None = None
        self.parts: dict[str, Part] = {}
        self._pooled = pooled
        self._pooler: PgBouncer | None = None
        self._pooler_way: Link | None = None
        """From the pooler to PostgreSQL."""
        self._environment: dict[str, str | int] = {
            "PYTHONPATH": str(ROOT),
            "LEASE_SECONDS": LEASE_SECONDS,
            "GRACE_SECONDS": GRACE_SECONDS,
            "GRPC_HOST": HOST,
            "METRICS_HOST": HOST,
            "CHAOS_LEDGER": str(self.ledger),
            **environment,
        }
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            opened.enter_context(self.network)
            opened.enter_context(self.disk)
            opened.callback(self._stop_servers)
            self.postgres.start()
            self.valkey.start()
            if self._pooled:
                self._pooler_way = self._link(self.postgres.port)
                self._pooler = opened.enter_context(PgBouncer(_behind(self.postgres.url, self._pooler_way)))
            opened.callback(self.stop_parts)
            asyncio.run(Migrator(StoreSettings(url=self.postgres.url)).migrate())
            self._open = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open.close()

    def add(self, kind: str, name: str, **environment: str | int) -> Part:
        """Make a process of a kind (api, worker, reaper); it is not started yet."""
        port = self._pooler.port if self._pooler is not None and name in self._pooled else self.postgres.port
        sql, redis, metrics_port = self._link(port), self._link(self.valkey.port), free_port()
        child = Child(
            name=name,
            arguments=[] if kind == "worker" else [kind],
            module=WORKER_MODULE if kind == "worker" else Child.module,
            environment={
                **self._environment,
                "DATABASE_URL": _behind(self.postgres.url, sql),
                "REDIS_URL": _behind(self.valkey.url, redis),
                "METRICS_PORT": metrics_port,
                "GRPC_PORT": free_port() if kind == "api" else 0,
                **environment,
            },
            log=self.logs / f"{name}.log",
        )
        part = Part(child=child, metrics_port=metrics_port, sql=sql, redis=redis, diary=self.diary)
        self.parts[name] = part
        return part

    @contextmanager
    def running(self, kind: str, name: str, **environment: str | int) -> Iterator[Part]:
        """Run a process while inside."""
        part = self.add(kind, name, **environment)
        part.start()
        try:
            yield part
        finally:
            part.heal()
            part.stop()
            del self.parts[name]

    def heal(self) -> None:
        """Let all processes and links be as they should."""
        for part in self.parts.values():
            part.resume()
            part.heal()

    def stop_parts(self) -> None:
        """Stop all processes side by side."""
        self.heal()
        with ThreadPoolExecutor() as pool:
            list(pool.map(Part.stop, self.parts.values()))

    @property
    def address(self) -> str:
        """Where all api processes listen, as one gRPC target."""
        ports = [part.child.environment["GRPC_PORT"] for part in self.parts.values() if part.child.arguments == ["api"]]
        return "ipv4:" + ",".join(f"{HOST}:{port}" for port in ports)

    def keep_pooler(self) -> None:
        """Start the pooler again if it ended by itself."""
        if self._pooler is not None:
            self._pooler.restart_if_dead()

    def fail_over_sql(self, lag: float) -> None:
        """End PostgreSQL, which has a standby that knows nothing of its last moments."""
        directory = self.disk.path / f"standby-{len(self.fail_overs)}"
        self._sql_fail_over = PostgresFailover(self.postgres, directory, self.network)
        self._sql_fail_over.follow()
        self._sql_fail_over.end_primary(lag)

    def promote_sql(self) -> None:
        """Let the standby serve in its stead."""
        assert self._sql_fail_over is not None
        self.fail_overs.append(self._sql_fail_over.promote())
        shutil.rmtree(self.postgres.data_dir)
        self.postgres = self._sql_fail_over.standby
        direct = [part.sql for part in self.parts.values() if part.name not in self._pooled]
        for way in (*direct, *filter(None, [self._pooler_way])):
            way.redirect(self.postgres.port)

    def fail_over_redis(self, lag: float) -> None:
        """End Valkey, which has a replica that knows nothing of its last moments."""
        directory = self.directory / f"replica-{time.monotonic_ns()}"
        self._redis_fail_over = ValkeyFailover(self.valkey, directory, self.network)
        self._redis_fail_over.follow()
        self._redis_fail_over.end_primary(lag)

    def promote_redis(self) -> None:
        """Let the replica serve in its stead."""
        assert self._redis_fail_over is not None
        self._redis_fail_over.promote()
        self.valkey = self._redis_fail_over.replica
        for part in self.parts.values():
            part.redis.redirect(self.valkey.port)

    def _stop_servers(self) -> None:
        self.disk.free()
        self.valkey.stop()
        self.postgres.stop()
        shutil.copy(self.postgres.log, self.logs)

    def _link(self, port: int) -> Link:
        return self.network.link(port)


def _behind(url: str, link: Link) -> str:
    parts = urlsplit(url)
    login = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    return urlunsplit(parts._replace(netloc=f"{login}{HOST}:{link.port}"))


def await_all_ready(parts: list[Part]) -> None:
    """Wait until each is ready, with its last words in the error when one is not."""
    deadline = time.monotonic() + READY_SECONDS
    waiting = list(parts)
    while waiting := [part for part in waiting if not is_ready(part)]:
        for part in waiting:
            assert part.is_running, f"{part.name} ended: see {part.child.log}"
        assert time.monotonic() < deadline, f"not ready: {[part.name for part in waiting]}"
        time.sleep(0.05)


def is_ready(part: Part) -> bool:
    """Ask a process over HTTP."""
    try:
        return get(part.metrics_port, "/ready").status == http.HTTPStatus.OK
    except OSError:
        return False
