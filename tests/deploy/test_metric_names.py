"""Rules and dashboards ask only for what the code exposes: an alert on a misspelt metric would never fire."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import grpc
import pytest
import yaml

from tests.deploy.exposed import Exposed, exposed_metrics
from tests.deploy.expressions import panel_expressions, rule_expressions
from tests.deploy.promql import Selector, parse
from tests.deploy.rules import RECORDING, rules_of
from tests.deploy.tools import passes

TARGET = frozenset({"job", "instance"})
"""Labels that a scrape adds to every series."""
OF_PROMETHEUS = {"up": Exposed(TARGET), "ALERTS": Exposed(TARGET | {"alertname", "alertstate", "severity"})}
STATUSES = {status.name for status in grpc.StatusCode}


EXPRESSIONS = dict([*rule_expressions(), *panel_expressions()])


@pytest.fixture(scope="module")
def known() -> Mapping[str, Exposed]:
    metrics = {**exposed_metrics(), **OF_PROMETHEUS}
    metrics["grpc_requests_total"].values["status"] = STATUSES
    for rule in rules_of(RECORDING):
        labels = parse(str(rule["expr"])).grouping | set(rule.get("labels", {}))  # type: ignore[call-overload]
        metrics[str(rule["record"])] = Exposed(frozenset(labels))
    return metrics


@pytest.mark.parametrize("expression", EXPRESSIONS.values(), ids=EXPRESSIONS.keys())
def test_every_expression_asks_for_metrics_and_labels_that_exist(expression: str, known: Mapping[str, Exposed]) -> None:
    asked = parse(expression)
    unknown = [selector.metric for selector in asked.selectors if selector.metric not in known]
    assert unknown == []

    labels = {label for selector in asked.selectors for label in known[selector.metric].labels}
    assert asked.grouping <= labels | TARGET
    assert [problem for selector in asked.selectors for problem in problems(selector, known[selector.metric])] == []


def test_a_misspelt_label_or_value_is_found(known: Mapping[str, Exposed]) -> None:
    metric = known["jobs_processed_total"]

    assert list(problems(parse('jobs_processed_total{state="success"}').selectors[0], metric))
    assert list(problems(parse('jobs_processed_total{status="succeeded"}').selectors[0], metric))
    assert not list(problems(parse('jobs_processed_total{status="success"}').selectors[0], metric))


def problems(selector: Selector, metric: Exposed) -> Iterator[str]:
    """Find conditions that no series can meet."""
    for matcher in selector.matchers:
        if matcher.label not in metric.labels | TARGET:
            yield f"{selector.metric} has no label {matcher.label}"
        values = metric.values.get(matcher.label)
        if values and not values.issuperset(matcher.values):
            yield f"{selector.metric} has no {matcher.label} {set(matcher.values) - values}"


def test_prometheus_understands_every_expression_of_the_dashboards(tmp_path: Path) -> None:
    rules = [{"record": "expression", "expr": expression} for _, expression in panel_expressions()]
    distinct = [{**rule, "labels": {"number": str(number)}} for number, rule in enumerate(rules)]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": distinct}]}), "utf-8")

    passes(["promtool", "check", "rules", file])
