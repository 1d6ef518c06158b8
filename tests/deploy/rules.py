"""The rules in deploy/prometheus, their tests, and the runbooks that they link to."""

import re
from functools import cache
from pathlib import Path

import yaml

from tests.deploy.tools import DEPLOY, ROOT

PROMETHEUS = DEPLOY / "prometheus"
RECORDING = PROMETHEUS / "recording.rules.yml"
ALERTS = PROMETHEUS / "alerts.rules.yml"
RULE_TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))
RUNBOOKS = ROOT / "docs" / "operations.md"


def rules_of(file: Path) -> list[dict[str, object]]:
    """Return the rules of all groups of a file."""
    groups = yaml.safe_load(file.read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


@cache
def alert_tests() -> list[dict[str, object]]:
    """Return what is expected of alerts in all tests of rules."""
    files = [yaml.safe_load(file.read_text("utf-8")) for file in RULE_TESTS]
    return [expected for file in files for case in file["tests"] for expected in case["alert_rule_test"]]


def anchors(document: Path) -> set[str]:
    """Return where links into a Markdown document may lead."""
    headings = re.findall(r"^#+ (.+)$", document.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}
