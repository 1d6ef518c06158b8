"""Each alert fires when it should, does not when it should not, and leads to a runbook."""

from pathlib import Path

import pytest

from tests.deploy.rules import ALERTS, PROMETHEUS, RULE_TESTS, RUNBOOKS, alert_tests, anchors, rules_of
from tests.deploy.tools import ROOT, passes

NAMES = sorted({str(rule["alert"]) for rule in rules_of(ALERTS)})


def test_prometheus_accepts_its_configuration_and_all_rules() -> None:
    passes(["promtool", "check", "config", PROMETHEUS / "prometheus.yml"])


@pytest.mark.parametrize("file", RULE_TESTS, ids=lambda file: file.stem)
def test_alerts_fire_when_they_should_and_not_otherwise(file: Path) -> None:
    passes(["promtool", "test", "rules", file])


@pytest.mark.parametrize("name", NAMES)
def test_every_alert_has_a_case_that_fires_and_one_that_does_not(name: str) -> None:
    fires = [bool(case["exp_alerts"]) for case in alert_tests() if case["alertname"] == name]

    assert True in fires
    assert False in fires


def test_no_test_is_about_an_alert_that_is_gone() -> None:
    assert {case["alertname"] for case in alert_tests()} <= set(NAMES)


@pytest.mark.parametrize("rule", rules_of(ALERTS), ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_every_alert_says_how_bad_it_is_what_it_means_and_what_to_do(rule: dict[str, dict[str, str]]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    document, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert anchor == str(rule["alert"]).lower()
    assert anchor in anchors(ROOT / document)


@pytest.mark.parametrize("name", NAMES)
def test_every_runbook_says_what_it_means_where_to_look_how_to_mend_and_when_to_escalate(name: str) -> None:
    section = RUNBOOKS.read_text("utf-8").partition(f"### {name}\n")[2].partition("\n#")[0]

    assert [part for part in ("Means", "Look", "Mend", "Escalate") if f"**{part}**: " not in section] == []


def test_no_runbook_is_left_of_an_alert_that_is_gone() -> None:
    headings = [line[4:] for line in RUNBOOKS.read_text("utf-8").splitlines() if line.startswith("### ")]

    assert sorted(headings) == NAMES


def test_links_inside_the_runbooks_lead_somewhere() -> None:
    links = {part.partition(")")[0] for part in RUNBOOKS.read_text("utf-8").split("](#")[1:]}

    assert links <= anchors(RUNBOOKS)


def test_the_yaml_is_tidy() -> None:
    passes(["yamllint", "--strict", "-d", YAML_STYLE, PROMETHEUS])


YAML_STYLE = "{extends: default, rules: {document-start: disable, line-length: {max: 140}, indentation: {spaces: 2}}}"
