"""The targets of make that run the service, with stand-ins for docker."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.deploy.tools import ROOT, TIMEOUT_SECONDS, tool

ENGINE = '#!/bin/sh\necho "$PWD: docker $*" >>"$CALLS"\n'
NO_PLUGIN = '#!/bin/sh\n[ "$1" != compose ]\n'
NO_ENGINE = '#!/bin/sh\n[ "$1" = compose ]\n'
PROBES = ["compose version", "version"]


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make where no program but those of the folder and the system's smallest are found."""
    for name in ("sh", "dirname", "awk"):
        (folder / name).symlink_to(tool(name))
    return subprocess.run(
        [tool("make"), *arguments],
        cwd=ROOT,
        env={**os.environ, "PATH": str(folder), "CALLS": str(folder / "calls")},
        check=False,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )


def install(folder: Path, docker: str) -> None:
    program = folder / "docker"
    program.write_text(docker)
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("dev", ["compose up --build --detach --wait", "compose ps"]),
        ("status", ["compose ps --all"]),
        ("logs", ["compose logs --follow --tail 100 worker"]),
        ("teardown", ["compose --profile cluster down --volumes --remove-orphans"]),
    ],
)
def test_a_target_runs_compose_on_the_stack(tmp_path: Path, target: str, expected: list[str]) -> None:
    install(tmp_path, ENGINE)

    done = make(tmp_path, target, "SERVICE=worker")

    assert done.returncode == 0, done.stderr
    calls = (tmp_path / "calls").read_text().splitlines()
    stack = ROOT / "deploy" / "compose"
    assert [call for call in calls if call.split(": docker ")[1] not in PROBES] == [
        f"{stack}: docker {words}" for words in expected
    ]


@pytest.mark.parametrize(
    ("docker", "reason"),
    [
        (None, "docker is not installed"),
        (NO_PLUGIN, "docker has no compose plugin (2.24 or newer)"),
        (NO_ENGINE, "the Docker engine does not answer"),
    ],
)
def test_without_docker_it_says_what_is_missing_and_what_works(tmp_path: Path, docker: str | None, reason: str) -> None:
    if docker is not None:
        install(tmp_path, docker)

    done = make(tmp_path, "dev")

    assert done.returncode != 0
    assert done.stderr.splitlines()[0] == f"error: {reason}"
    assert '"make up"' in done.stderr.splitlines()[1]


@pytest.mark.parametrize("part", ["api", "worker", "reaper", "migrate"])
def test_a_part_runs_on_the_servers_that_the_environment_names(part: str) -> None:
    done = subprocess.run(
        [tool("make"), "--dry-run", "--old-file=.venv/.installed", part, "ARGS=--help"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )

    assert f".venv/bin/scheduler {part} --help" in done.stdout


def test_setup_starts_the_servers_and_makes_the_schema() -> None:
    done = subprocess.run(
        [tool("make"), "--dry-run", "--old-file=.venv/.installed", "setup"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )

    assert [line for line in done.stdout.splitlines() if "compose" in line or "scheduler" in line] == [
        "scripts/compose up --detach --wait redis",
        "scripts/compose run --rm cockroach-init",
        ".venv/bin/scheduler migrate",
    ]
