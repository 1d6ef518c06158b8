"""What the runbooks tell to do can be done: their SQL runs, and their commands, panels and events exist."""

import asyncio
import json
import re

import pytest
from typer.testing import CliRunner

from scheduler.adapters.cockroach import Migrator, StoreSettings
from scheduler.entrypoints.cli.app import build
from tests.architecture.log_rules import EVENT, faults_reported, loop_names
from tests.deploy.rules import ALERTS, RUNBOOKS, rules_of
from tests.deploy.tools import DEPLOY, ROOT
from tests.support.sql import create_database, execute

TEXT = RUNBOOKS.read_text("utf-8")
PROSE = " ".join(TEXT.split())
COMMANDS = sorted(set(re.findall(r"^scheduler ((?:dlq )?[a-z]+)|`scheduler ((?:dlq )?[a-z]+)", TEXT, re.MULTILINE)))
MODULES = [file.read_text("utf-8") for file in (ROOT / "scheduler").rglob("*.py")]
SOURCES = "\n".join(MODULES)


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


def test_every_fault_that_a_duty_can_fail_by_has_a_row() -> None:
    section = TEXT.partition("### SchedulerDutyFails\n")[2].partition("\n#")[0]
    rows = [
        event for row in re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE) for event in re.findall(r"`(\w+)`", row)
    ]

    assert len(rows) == len(set(rows))
    assert set(rows) == {event for event in faults() if is_counted(event, "SchedulerDutyFails")}


@pytest.mark.parametrize(
    ("event", "counted"), [("claim_failed", True), ("rpc_failed", False), ("queue_unavailable", False)]
)
def test_what_an_alert_counts_is_read_from_its_expression(event: str, *, counted: bool) -> None:
    assert is_counted(event, "SchedulerDutyFails") is counted


def faults() -> set[str]:
    """The events that `faults_total` counts; a loop's faults bear its name."""
    named = {event for module in MODULES for event in faults_reported(module) if EVENT.fullmatch(event)}
    return named | {f"{name}_failed" for module in MODULES for name in loop_names(module)}


def is_counted(event: str, alert: str) -> bool:
    """Tell whether each condition on the label `event` in the alert's expression lets it pass."""
    [rule] = [rule for rule in rules_of(ALERTS) if rule["alert"] == alert]
    conditions = re.findall(r'event(=~|!~|!=|=)"([^"]*)"', str(rule["expr"]))

    assert conditions
    return all((re.fullmatch(pattern, event) is None) == sign.startswith("!") for sign, pattern in conditions)


def is_of_a_loop(event: str) -> bool:
    """A loop's faults bear its name."""
    return f'"{event.removesuffix("_failed")}"' in SOURCES
