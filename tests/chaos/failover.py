"""Standbys that lag behind, are promoted, and so lack the last writes of the server before."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg
from redis import Redis

from scheduler.adapters.embedded import EmbeddedPostgres, EmbeddedServer, EmbeddedValkey
from scheduler.adapters.embedded.binaries import postgres_programs
from scheduler.adapters.embedded.cluster import SUPERUSER
from tests.chaos.network import HOST, Link, Network
from tests.support.proxy import FaultProxy

COMMIT_SECONDS: Final = 2.0
"""How long before its commit a renewal may have been sent."""
DEADLINE_SECONDS: Final = 30.0
Version = tuple[int, str]
Versions = Mapping[str, Version]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailOver:
    """What the promoted server does not know, read from the data of both; times on the clock of the ledger."""

    stalled_at: float
    promoted_at: float
    forgotten: frozenset[str]
    """Jobs that it has at an earlier version, or under another write."""
    missing: frozenset[str]
    """Jobs that it does not have at all."""


class PostgresStandby(EmbeddedPostgres):
    """A server that follows another until it is promoted."""

    def _answers(self, pid: int, port: int) -> bool:
        return self._query(port)


class PostgresFailover:
    """Stops a primary and promotes its standby, which lacks what was committed in the last moments."""

    def __init__(self, primary: EmbeddedPostgres, directory: Path, network: Network) -> None:
        self._primary = primary
        self._way: Link = network.link(primary.port)
        self.standby = PostgresStandby(directory, settings=primary._settings)  # noqa: SLF001 - a twin
        self._cluster = directory / "pgdata"
        self._stalled_at = 0.0

    def follow(self) -> None:
        """Copy the primary, and follow it."""
        rules = self._primary.data_dir / "pgdata" / "pg_hba.conf"
        rules.write_text(f"{rules.read_text()}host replication all {HOST}/32 scram-sha-256\n")
        self._primary.execute("SELECT pg_reload_conf()")
        password = str(urlsplit(self._primary.superuser_url).password)
        _share_passwords(self._primary, self.standby)
        address = ("-h", HOST, "-p", str(self._primary.port), "-U", SUPERUSER)
        program = str(postgres_programs() / "pg_basebackup")
        command = [program, *address, "-D", str(self._cluster), "-c", "fast", "--no-sync"]
        subprocess.run(
            command,
            env={**os.environ, "PGPASSWORD": password},
            check=True,
            capture_output=True,
            timeout=DEADLINE_SECONDS,
        )
        (self._cluster / "standby.signal").touch()
        with (self._cluster / "postgresql.auto.conf").open("a") as file:
            file.write(f"primary_conninfo = 'host={HOST} port={self._way.port} user={SUPERUSER} password={password}'\n")
        self.standby.start()
        _await(lambda: self.standby.execute("SELECT 1 FROM pg_stat_wal_receiver WHERE status = 'streaming'") == ["1"])

    def end_primary(self, lag: float) -> None:
        """Let the standby hear nothing for so long; then kill the primary."""
        self._stalled_at = time.monotonic()
        self._way.do(FaultProxy.black_hole)
        time.sleep(lag)
        self._primary.kill()

    def promote(self) -> FailOver:
        """Promote the standby and compare the data of both; so far no client may know it."""
        self.standby.execute("SELECT pg_promote()")
        kept = _versions(self.standby.url)
        with EmbeddedPostgres(self._primary.data_dir) as old:
            had = _versions(old.url)
        differ = {job_id for job_id in had.keys() | kept.keys() if had.get(job_id) != kept.get(job_id)}
        missing = frozenset(differ - kept.keys())
        return FailOver(
            stalled_at=self._stalled_at,
            promoted_at=time.monotonic(),
            forgotten=frozenset(differ) - missing,
            missing=missing,
        )


class ValkeyFailover:
    """The same for the queue, of which nothing need be kept."""

    def __init__(self, primary: EmbeddedValkey, directory: Path, network: Network) -> None:
        self._primary = primary
        self._way = network.link(primary.port)
        self.replica = EmbeddedValkey(directory)

    def follow(self) -> None:
        _share_passwords(self._primary, self.replica)
        self.replica.start()
        with closing(Redis.from_url(self.replica.url, socket_timeout=5)) as redis:
            redis.config_set("masterauth", str(urlsplit(self._primary.url).password))
            redis.replicaof(HOST, self._way.port)
            _await(lambda: _replication(redis).get("master_link_status") == "up")

    def end_primary(self, lag: float) -> None:
        self._way.do(FaultProxy.black_hole)
        time.sleep(lag)
        self._primary.kill()

    def promote(self) -> None:
        with closing(Redis.from_url(self.replica.url, socket_timeout=5)) as redis:
            redis.replicaof("NO", "ONE")


def _share_passwords(primary: EmbeddedServer, follower: EmbeddedServer) -> None:
    """Let clients of the one log in at the other."""
    follower.data_dir.mkdir(mode=0o700, parents=True)
    for file in primary.data_dir.glob("*password"):
        shutil.copy(file, follower.data_dir)


def _replication(redis: Redis) -> Mapping[str, object]:
    info: Any = redis.info("replication")
    return dict(info)


def _versions(url: str) -> Versions:
    with psycopg.connect(url, connect_timeout=5) as connection:
        return dict(_read_versions(connection.execute("SELECT id, version, op_id FROM jobs").fetchall()))


def _read_versions(rows: Sequence[Sequence[object]]) -> Iterator[tuple[str, Version]]:
    for job_id, version, op_id in rows:
        yield str(job_id), (int(str(version)), str(op_id))


def _await(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the standby does not follow"
        time.sleep(0.05)
