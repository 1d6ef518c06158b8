"""The units: what systemd itself thinks of them, and that they speak of the program as it is."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from configparser import ConfigParser
from datetime import timedelta
from pathlib import Path

import pytest

from scheduler.entrypoints.operations import MAX_SILENCE
from scheduler.entrypoints.settings import Settings
from tests.deploy.tools import DEPLOY, ROOT, passes

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
TARGET = DEPLOY / "systemd" / "scheduler.target"
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


def metrics_port(part: str, instance: int = 0) -> int:
    environment = Unit(DEPLOY / "systemd" / f"scheduler-{part}.service")["Service"]["Environment"]
    (port,) = re.findall(r"\bMETRICS_PORT=(\S+)", environment)
    return int(port.replace("%i", str(instance)))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root file system with the units and a program where they expect it."""
    root = tmp_path_factory.mktemp("root")
    for path in (*UNITS, TARGET):
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


@pytest.mark.parametrize("unit", NOTIFYING, ids=lambda path: path.name)
def test_systemd_hears_the_process_stops_it_alone_and_always_starts_it_again(unit: Path) -> None:
    service = Unit(unit)["Service"]
    expected = {"Type": "notify", "NotifyAccess": "main", "KillMode": "mixed", "Restart": "always"}
    assert {key: service.get(key) for key in expected} == expected


@pytest.mark.parametrize("unit", NOTIFYING, ids=lambda path: path.name)
def test_the_watchdog_waits_longer_than_a_loop_may_be_silent(unit: Path) -> None:
    assert timedelta(seconds=seconds(Unit(unit)["Service"]["WatchdogSec"])) > MAX_SILENCE


@pytest.mark.parametrize("unit", NOTIFYING, ids=lambda path: path.name)
def test_a_reload_is_a_sighup_to_the_main_process(unit: Path) -> None:
    assert Unit(unit)["Service"]["ExecReload"] == "/bin/kill -HUP $MAINPID"


@pytest.mark.parametrize("unit", NOTIFYING, ids=lambda path: path.name)
def test_the_unit_comes_after_the_migration_and_starts_and_stops_with_the_target(unit: Path) -> None:
    parts = Unit(unit)
    assert "scheduler-migrate.service" in parts["Unit"]["Wants"].split()
    assert "scheduler-migrate.service" in parts["Unit"]["After"].split()
    assert (parts["Unit"]["PartOf"], parts["Install"]["WantedBy"]) == (TARGET.name, TARGET.name)


def test_the_target_starts_with_the_machine_and_wants_each_unit_that_notifies() -> None:
    target = Unit(TARGET)
    wanted = re.sub(r"@\d+\.", "@.", target["Unit"]["Wants"]).split()
    assert sorted(wanted) == [unit.name for unit in NOTIFYING]
    assert "@." not in target["Unit"]["Wants"], "a template needs an instance"
    assert target["Install"]["WantedBy"] == "multi-user.target"


def test_each_process_of_a_machine_has_the_port_for_metrics_that_is_documented() -> None:
    api, reaper = metrics_port("api"), metrics_port("reaper")
    workers = [metrics_port("worker@", instance) for instance in range(10)]
    documented = f"{api} (api), {workers[0]} to {workers[-1]} (worker@0 to worker@9), {reaper} (reaper)"
    assert workers == list(range(2130, 2140))
    assert len({api, reaper, *workers}) == 12
    assert documented in (ROOT / "docs/deployment.md").read_text("utf-8")


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
    assert units == {*(unit.name for unit in UNITS), TARGET.name}
    assert settings.read_text() == "WORKER_POOL_SIZE=3\n"
    assert not (tmp_path / "opt/scheduler").exists()
    assert list((tmp_path / "etc/systemd/system").iterdir()) == []


def test_without_a_release_an_install_makes_one_and_an_uninstall_removes_it(tmp_path: Path) -> None:
    environment = {**os.environ, "DESTDIR": str(tmp_path), "RELEASE": "", "PYTHON": python_that_units_see()}
    run("install", environment)
    release = (tmp_path / "opt/scheduler").resolve()
    ran = subprocess.run([release / "bin/scheduler", "--help"], check=True, capture_output=True, text=True)

    run("uninstall", environment)

    assert release.parent == tmp_path / "opt/scheduler-releases"
    assert "worker" in ran.stdout
    assert not release.parent.exists()


def python_that_units_see() -> str:
    """Return an interpreter outside of home directories; skip the test, saying so, where none is fit."""
    candidates = [str(Path(name).resolve()) for name in (sys.executable, "/usr/bin/python3")]
    visible = [path for path in candidates if not path.startswith(("/root/", "/home/"))]
    found = subprocess.run(
        [ROOT / "scripts" / "find-python"],
        env={**os.environ, "PYTHON": " ".join(visible)},
        check=False,
        capture_output=True,
        text=True,
    )
    if found.returncode != 0:
        pytest.skip(f"no interpreter outside of home directories is fit: {found.stderr}")
    return found.stdout.strip()


def run(script: str, environment: Mapping[str, str]) -> str:
    ran = subprocess.run(
        [DEPLOY / "systemd" / script], env=environment, check=False, capture_output=True, text=True, timeout=100
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout
