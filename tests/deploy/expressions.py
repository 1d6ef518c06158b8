"""All PromQL of rules and dashboards, by where it stands."""

import json
from collections.abc import Iterator

from tests.deploy.rules import ALERTS, RECORDING, rules_of
from tests.deploy.tools import DEPLOY

DASHBOARDS = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))


def rule_expressions() -> Iterator[tuple[str, str]]:
    for file in (RECORDING, ALERTS):
        for number, rule in enumerate(rules_of(file)):
            yield f"{number}-{rule.get('alert') or rule['record']}", str(rule["expr"])


def panel_expressions() -> Iterator[tuple[str, str]]:
    for file in DASHBOARDS:
        for panel in json.loads(file.read_text("utf-8"))["panels"]:
            for target in panel.get("targets", []):
                expression = target["expr"].replace("$__rate_interval", "5m")
                yield f"{file.stem}-{panel['title']}-{target['refId']}", expression
