"""`scheduler up` outlives its servers."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from scheduler.adapters.embedded.ports import free_port
from scheduler.entrypoints.settings import Settings
from tests.acceptance.operations import eventually
from tests.support.ports import three_free_ports
from tests.unit.cli.tool import PATIENCE_SECONDS, PROGRAM, Tool

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(sys.platform != "linux", reason="finds the servers through /proc"),
]


GRACE_SECONDS = Settings().grace_seconds
FREE_PORTS = ["--grpc-port=0", "--metrics-port=0"]


@contextmanager
def up(folder: Path, log: Path) -> Iterator[Tool]:
    """Run it; give its clients, and stop it as Ctrl-C does, which must end it with 0. What it says goes to the log."""
    with up_on(folder, log, FREE_PORTS) as running:
        try:
            yield Tool(address_in(log))
        finally:
            running.send_signal(signal.SIGINT)
            running.wait(PATIENCE_SECONDS)
    assert running.returncode == 0


def some_ports() -> Sequence[str]:
    return [f"--grpc-port={free_port()}", f"--metrics-port={three_free_ports()}"]


@contextmanager
def up_on(folder: Path, log: Path, ports: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run it until it serves; it is ended inside, or else killed."""
    command = [*PROGRAM, "up", f"--data-dir={folder}", *ports]
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output) as running:
        try:
            eventually(lambda: "; Ctrl-C stops" in log.read_text() or running.poll() is not None)
            assert running.poll() is None, log.read_text()
            yield running
        finally:
            running.kill()


def address_in(log: Path) -> str:
    return log.read_text().split()[2].rstrip(",")


def valkey_in(folder: Path) -> int:
    """Find the process that works in the folder."""
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and (entry / "cwd").readlink() == folder / "valkey":
                return int(entry.name)
    raise AssertionError("no Valkey is there")


def postgres_in(folder: Path) -> int:
    return int((folder / "postgres" / "pgdata" / "postmaster.pid").read_text().split()[0])


def test_servers_that_are_killed_are_started_again_and_every_job_ends(tmp_path: Path) -> None:
    folder, log = tmp_path / "data", tmp_path / "log"
    with up(folder, log) as client:

        def has_ended_well(job_id: str) -> bool:
            ran = client("get", job_id, "--json")
            return ran.code == 0 and (ran.document["state"], ran.document["attempts"]) == ("SUCCEEDED", 1)

        jobs = [client.submit("noop", "--payload", '{"sleep_seconds": 3}'), client.submit("noop", "--at", "+4s")]
        os.kill(valkey_in(folder), signal.SIGKILL)
        jobs.append(client.submit("noop"))
        eventually(lambda: "Valkey ended with exit code 137 and was started again" in log.read_text())

        os.kill(postgres_in(folder), signal.SIGKILL)
        eventually(lambda: "PostgreSQL ended with exit code 137 and was started again" in log.read_text())
        assert valkey_in(folder)
        eventually(lambda: all(map(has_ended_well, jobs)))


def test_other_users_reach_no_file_and_the_owner_finds_the_servers(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with up(folder, tmp_path / "log"):
        closed = [folder, folder / "logs", folder / "postgres", folder / "valkey", folder / "environment"]
        assert not any(path.stat().st_mode & 0o007 for path in closed)
        assert not any(path.stat().st_mode & 0o077 for path in closed[-1:])
        variables = dict(line.split("=", 1) for line in (folder / "environment").read_text().splitlines())
        with psycopg.connect(variables["DATABASE_URL"]) as connection:
            assert connection.execute("SELECT count(*) FROM schema_migrations").fetchone()
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(host="127.0.0.1", port=variables["PGPORT"], user="scheduler", dbname="scheduler")
    assert not (folder / "environment").exists()


def test_modules_of_the_current_directory_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = [str(Path(sys.executable).with_name("scheduler"))]
    for name in ("typer", "uvloop", "structlog", "pydantic"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys.modules[__name__], "PROGRAM", program)
    with up(tmp_path / "data", tmp_path / "log"):
        assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("end", [(signal.SIGINT, signal.SIGINT), (signal.SIGKILL,)], ids=["Ctrl-C twice", "kill -9"])
def test_an_end_without_peace_leaves_nothing_behind_and_keeps_no_successor_waiting(
    tmp_path: Path, end: Sequence[signal.Signals]
) -> None:
    folder, log, ports = tmp_path / "data", tmp_path / "log", some_ports()
    with up_on(folder, log, ports) as running:
        client = Tool(address_in(log))
        job = client.submit("noop", "--payload", '{"sleep_seconds": 600}')
        eventually(lambda: client("get", job, "--json").document["state"] == "RUNNING")
        children = [int(pid) for pid in Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()]
        for number in end:
            running.send_signal(number)
            time.sleep(0.5)
        assert running.wait(PATIENCE_SECONDS) in {128 + signal.SIGINT, -signal.SIGKILL}

    began = time.monotonic()
    eventually(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in children))
    assert time.monotonic() - began < GRACE_SECONDS, "nobody waits for a handler whose result nobody would take"
    with up_on(folder, log, ports):
        assert Tool(address_in(log))("get", job, "--json").document["state"] in {"QUEUED", "RUNNING"}
