"""The units: what systemd itself thinks of them, and that they speak of the program as it is."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from configparser import ConfigParser
from pathlib import Path

import pytest

from scheduler.entrypoints.settings import Settings
from tests.deploy.tools import DEPLOY, passes

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
NOTIFYING = [unit for unit in UNITS if "migrate" not in unit.name]
MAX_EXPOSURE = 20
"""Tenths: 2.0."""


class Unit(ConfigParser):
    """A unit file; of a key that is there several times the last value counts."""

    def __init__(self, path: Path) -> None:
        super().__init__(strict=False, interpolation=None)
        self.read(path)

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def seconds(text: str) -> float:
    return float(text.removesuffix("s"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root file system with the units and a program where they expect it."""
    root = tmp_path_factory.mktemp("root")
    for path in (*UNITS, DEPLOY / "systemd" / "scheduler.target"):
        copy = root / "etc/systemd/system" / path.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text())
    for program in ("opt/scheduler/bin/scheduler", "bin/kill"):
        (root / program).parent.mkdir(parents=True, exist_ok=True)
        (root / program).write_text("#!/bin/sh\n")
        (root / program).chmod(0o755)
    return root


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_finds_nothing_wrong_with_the_unit(installed: Path, unit: Path) -> None:
    name = unit.name.replace("@", "@0")
    said = passes(["systemd-analyze", "verify", "--recursive-errors=no", f"--root={installed}", name])
    assert [line for line in said.splitlines() if "scheduler" in line] == []


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_the_unit_is_hardened(unit: Path) -> None:
    passes(["systemd-analyze", "security", "--offline=true", f"--threshold={MAX_EXPOSURE}", unit])


@pytest.mark.parametrize("unit", NOTIFYING, ids=lambda path: path.name)
def test_a_stop_leaves_the_grace_period_and_more(unit: Path) -> None:
    stop = seconds(Unit(unit)["Service"]["TimeoutStopSec"])
    assert stop >= Settings().grace_seconds + 15


def test_every_variable_in_the_files_is_one_of_ours() -> None:
    text = "\n".join(path.read_text() for path in (DEPLOY / "systemd").iterdir() if path.is_file())
    given = re.findall(r"^([A-Z_]+)=", (DEPLOY / "systemd" / "scheduler.env").read_text(), re.MULTILINE)
    given += re.findall(r"\b([A-Z][A-Z_]+)=", "\n".join(re.findall(r"^Environment=(.*)$", text, re.MULTILINE)))
    assert len(given) > 6
    assert {name.lower() for name in given} <= Settings.model_fields.keys()


def test_an_install_and_an_uninstall_leave_the_settings_of_the_operator(tmp_path: Path) -> None:
    environment = {**os.environ, "DESTDIR": str(tmp_path), "RELEASE": sys.prefix}
    said = run("install", environment)
    settings = tmp_path / "etc/scheduler/scheduler.env"
    settings.write_text("WORKER_POOL_SIZE=3\n")
    ran = subprocess.run(
        [tmp_path / "opt/scheduler/bin/scheduler", "--help"], check=True, capture_output=True, text=True
    )
    units = {path.name for path in (tmp_path / "etc/systemd/system").iterdir()}

    run("uninstall", environment)

    assert "worker" in ran.stdout
    assert "systemctl enable --now scheduler.target" in said
    assert units == {*(unit.name for unit in UNITS), "scheduler.target"}
    assert settings.read_text() == "WORKER_POOL_SIZE=3\n"
    assert not (tmp_path / "opt/scheduler").exists()
    assert list((tmp_path / "etc/systemd/system").iterdir()) == []


def run(script: str, environment: Mapping[str, str]) -> str:
    ran = subprocess.run(
        [DEPLOY / "systemd" / script], env=environment, check=False, capture_output=True, text=True, timeout=100
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout
