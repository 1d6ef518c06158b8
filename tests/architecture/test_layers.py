"""The layers hold, and the checks that say so can fail."""

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.homes import homes_from
from tests.architecture.rules import (
    PACKAGE,
    ROOT,
    SETTINGS,
    Rule,
    application_violations,
    domain_violations,
    environment_violations,
    modules_below,
)

LINTER = Path(sys.executable).with_name("lint-imports")

# A module, what it must not import, and the line in which the linter must say so.
PLANTED = (
    ("domain/planted.py", "scheduler.application", "scheduler.domain.planted -> scheduler.application"),
    ("application/planted.py", "scheduler.adapters", "scheduler.application.planted -> scheduler.adapters"),
    ("adapters/system/planted.py", "scheduler.entrypoints", "system.planted -> scheduler.entrypoints"),
    ("adapters/redis/planted.py", "scheduler.adapters.memory", "redis.planted -> scheduler.adapters.memory"),
    ("entrypoints/planted.py", "scheduler.adapters.grpc.pb", "planted -> scheduler.adapters.grpc.pb"),
    ("entrypoints/wiring.py", "dependency_injector", "entrypoints.wiring -> dependency_injector"),
    ("adapters/memory/sql.py", "psycopg.rows", "memory.sql -> psycopg"),
    ("adapters/memory/wire.py", "google.protobuf.message", "memory.wire -> google"),
    ("adapters/memory/unlisted.py", "requests", "memory.unlisted -> requests"),
    ("stray/__init__.py", "enum", "scheduler.stray"),
)


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(LINTER), "--config", str(ROOT / "pyproject.toml"), "--no-cache", "--no-logo"]
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "COLUMNS": "200"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the linter says about a copy of the package in which every contract is broken."""
    folder = tmp_path_factory.mktemp("spoiled")
    shutil.copytree(PACKAGE, folder / "scheduler", ignore=shutil.ignore_patterns("__pycache__"))
    for path, imported, _ in PLANTED:
        module = folder / "scheduler" / path
        module.parent.mkdir(exist_ok=True)
        module.write_text(f"import {imported}\n")
    result = lint(folder)
    assert result.returncode == 1, result.stdout + result.stderr
    return result.stdout


def test_the_import_contracts_hold() -> None:
    result = lint(ROOT)

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("report", [report for _, _, report in PLANTED])
def test_the_linter_reports_a_forbidden_import(spoiled: str, report: str) -> None:
    assert report in spoiled


def test_the_linter_breaks_every_contract_when_each_is_violated(spoiled: str) -> None:
    assert ", 4 broken." in spoiled


def found_in(paths: list[Path], rule: Rule) -> Iterator[str]:
    for path in paths:
        yield from (f"{path.relative_to(ROOT)}:{text}" for text in rule(path.read_text("utf-8")))


def test_the_domain_is_pure() -> None:
    assert list(found_in(modules_below(PACKAGE / "domain"), domain_violations)) == []


def test_the_application_reaches_the_world_through_ports_only() -> None:
    assert list(found_in(modules_below(PACKAGE / "application"), application_violations)) == []


def test_only_the_settings_read_the_environment() -> None:
    modules = [path for path in modules_below(PACKAGE) if path != SETTINGS]

    assert list(found_in(modules, environment_violations)) == []


def test_every_listed_home_exists() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    homes = homes_from(next(contract["homes"] for contract in contracts if contract["id"] == "homes"))
    packages = [home for packages in homes.values() for home in packages]

    paths = [ROOT.joinpath(*package.split(".")) for package in packages]
    assert [path for path in paths if not (path.is_dir() or path.with_suffix(".py").is_file())] == []


PURE = (
    "from dataclasses import dataclass",
    "from collections.abc import Sequence",
    "from datetime import UTC, datetime, timedelta\nat = datetime.fromtimestamp(0, UTC)",
    "from uuid import UUID",
    "from scheduler.domain.state import JobState",
    "def start(now): return now.isoformat()",
)


@pytest.mark.parametrize("source", PURE)
def test_pure_code_is_allowed_in_the_domain(source: str) -> None:
    assert domain_violations(source) == []


IMPURE_ANYWHERE_INSIDE = (
    "import os",
    "import random",
    "import time\nat = time.time()",
    "import time as t\nt.sleep(1)",
    "from time import time_ns",
    "import grpc",
    "from scheduler.adapters.memory import clock",
    "from datetime import datetime, UTC\nnow = datetime.now(UTC)",
    "import datetime\nnow = datetime.datetime.now()",
    "import datetime\ntoday = datetime.date.today()",
    "import uuid\nid = uuid.uuid4()",
    "import uuid as u\nid = u.uuid1()",
    "from uuid import uuid4",
    "from uuid import uuid4 as draw",
    "print('hello')",
    "open('/etc/passwd')",
    "def late():\n    import socket",
    "import threading\nthreading.Thread()",
    "from threading import Thread",
)


@pytest.mark.parametrize("source", IMPURE_ANYWHERE_INSIDE)
@pytest.mark.parametrize("rule", [domain_violations, application_violations])
def test_ambient_state_is_refused_in_the_inner_layers(rule: Rule, source: str) -> None:
    assert rule(source) != []


@pytest.mark.parametrize(
    "source",
    [
        "import asyncio",
        "import logging",
        "from threading import Lock",
        "from time import monotonic",
        "from scheduler.application import dto",
    ],
)
def test_what_the_application_may_do_the_domain_may_not(source: str) -> None:
    assert application_violations(source) == []
    assert domain_violations(source) != []


def test_the_application_may_ask_its_clock_port() -> None:
    assert application_violations("def execute(self): return self._clock.now()") == []


@pytest.mark.parametrize(
    "source",
    ["import os\nos.environ['A']", "import os\nos.getenv('A')", "from os import environ", "from os import getenv as g"],
)
def test_reading_the_environment_is_refused(source: str) -> None:
    assert environment_violations(source) != []


def test_other_uses_of_os_are_no_environment_access() -> None:
    assert environment_violations("import os\nos.getpid()") == []
