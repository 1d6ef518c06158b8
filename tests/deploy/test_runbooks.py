"""What the runbooks tell to do can be done: their SQL runs, and their commands, panels and events exist."""

import asyncio
import json
import re

import pytest
from typer.testing import CliRunner

from scheduler.adapters.cockroach import Migrator, StoreSettings
from scheduler.entrypoints.cli.app import build
from tests.deploy.rules import RUNBOOKS
from tests.deploy.tools import DEPLOY, ROOT
from tests.support.sql import create_database, execute

TEXT = RUNBOOKS.read_text("utf-8")
PROSE = " ".join(TEXT.split())
COMMANDS = sorted(set(re.findall(r"^scheduler ((?:dlq )?[a-z]+)|`scheduler ((?:dlq )?[a-z]+)", TEXT, re.MULTILINE)))
SOURCES = "\n".join(file.read_text("utf-8") for file in (ROOT / "scheduler").rglob("*.py"))


@pytest.mark.servers
def test_the_sql_runs_on_the_schema(postgres_url: str) -> None:
    url = create_database(postgres_url)
    asyncio.run(Migrator(StoreSettings(url=url)).migrate())
    statements = re.findall(r"```sql\n(.+?)```", TEXT, re.DOTALL)

    assert len(statements) >= 4
    execute(url, *statements)


@pytest.mark.parametrize("command", ["".join(found) for found in COMMANDS])
def test_the_commands_exist(command: str) -> None:
    assert CliRunner().invoke(build(), [*command.split(), "--help"]).exit_code == 0


def test_the_panels_are_on_the_dashboards() -> None:
    named = set(re.findall(r"(?<![*\w])\*([A-Z][^*]+)\*(?!\*)", PROSE))
    dashboards = [json.loads(file.read_text("utf-8")) for file in (DEPLOY / "grafana" / "dashboards").glob("*.json")]
    panels = {panel["title"] for dashboard in dashboards for panel in dashboard["panels"]}
    titles = {dashboard["title"] for dashboard in dashboards}

    assert named - panels - titles - {title.removeprefix("Scheduler / ") for title in titles} == set()


def test_the_events_are_logged_by_the_code() -> None:
    lists = re.findall(r"[Ee]vents? ((?:`\w+`(?:, | or )?)+)", PROSE)
    names = {name for found in lists for name in re.findall(r"\w+_\w+", found)} | set(
        re.findall(r"`(\w+_failed)`", TEXT)
    )

    assert len(names) >= 5
    assert {name for name in names if f'"{name}"' not in SOURCES and not is_of_a_loop(name)} == set()


def is_of_a_loop(event: str) -> bool:
    """A loop's faults bear its name."""
    return f'"{event.removesuffix("_failed")}"' in SOURCES
