"""The script that prepares CockroachDB in the compose stack, on a stand-in for its program."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.deploy.compose import COMPOSE
from tests.deploy.tools import TIMEOUT_SECONDS, passes

SCRIPT = COMPOSE / "cockroach-init"
# Refuses once, then is initialised once; knows SQL only after that.
_STAND_IN = """#!/bin/sh
echo "$1" >>calls
case $1 in
  init)
    [ "$(grep -c init calls)" -gt 1 ] || { echo "connection refused" >&2; exit 1; }
    [ ! -e initialised ] || { echo "cluster has already been initialized" >&2; exit 1; }
    touch initialised ;;
  sql) [ -e initialised ] && echo "$*" >>statements ;;
esac
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    stand_in = tmp_path / "cockroach"
    stand_in.write_text(_STAND_IN)
    stand_in.chmod(0o755)
    return tmp_path


def prepare(folder: Path, seconds: int = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", SCRIPT],
        cwd=folder,
        env={"PATH": f"{folder}:{os.defpath}", "INIT_SECONDS": str(seconds)},
        check=False,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )


def test_the_script_has_no_known_faults() -> None:
    passes(["shellcheck", SCRIPT])


def test_it_waits_for_the_node_and_makes_the_database(folder: Path) -> None:
    assert prepare(folder).returncode == 0
    assert "CREATE DATABASE IF NOT EXISTS scheduler" in (folder / "statements").read_text()


def test_it_may_run_again(folder: Path) -> None:
    (folder / "calls").write_text("init\n")
    (folder / "initialised").touch()

    assert [prepare(folder).returncode for _ in range(2)] == [0, 0]
    assert len((folder / "statements").read_text().splitlines()) == 2


def test_a_node_that_does_not_come_is_told(folder: Path) -> None:
    done = prepare(folder, seconds=1)

    assert done.returncode == 1
    assert done.stderr.strip() == "connection refused"
