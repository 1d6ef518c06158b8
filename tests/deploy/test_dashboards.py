"""The dashboards are what their sources say, and Grafana can show them."""

import json
import sys
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from tests.deploy.tools import DEPLOY, passes

GRAFANA = DEPLOY / "grafana"
FILES = sorted((GRAFANA / "dashboards").glob("*.json"))
DASHBOARDS = [json.loads(file.read_text("utf-8")) for file in FILES]
YAML_STYLE = "{extends: default, rules: {document-start: disable, line-length: {max: 140}}}"


def test_the_dashboards_are_those_that_their_sources_make() -> None:
    passes([sys.executable, "scripts/generate_dashboards.py", "--check"])


def test_there_are_the_four_dashboards_that_the_runbooks_speak_of() -> None:
    assert [dashboard["title"] for dashboard in DASHBOARDS] == [
        "Scheduler / Overview",
        "Scheduler / Queues and latency",
        "Scheduler / Storage",
        "Scheduler / Workers",
    ]
    assert len({dashboard["uid"] for dashboard in DASHBOARDS}) == len(DASHBOARDS)


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=[file.stem for file in FILES])
def test_panels_have_names_and_queries_of_their_own(dashboard: dict[str, list[dict[str, object]]]) -> None:
    panels = dashboard["panels"]
    titles = [panel["title"] for panel in panels]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len(set(titles)) == len(titles)
    assert all(panel["targets"] for panel in panels if panel["type"] != "row")


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=[file.stem for file in FILES])
def test_no_panel_covers_another_or_leaves_the_page(dashboard: dict[str, list[dict[str, dict[str, int]]]]) -> None:
    places = [panel["gridPos"] for panel in dashboard["panels"]]

    assert all(place["x"] + place["w"] <= 24 for place in places)
    assert [pair for pair in combinations(places, 2) if overlap(*pair)] == []


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return all(
        one[start] < other[start] + other[size] and other[start] < one[start] + one[size]
        for start, size in (("x", "w"), ("y", "h"))
    )


def test_grafana_finds_its_prometheus() -> None:
    (source,) = provisioned("datasources/prometheus.yml")["datasources"]

    assert (source["type"], source["isDefault"]) == ("prometheus", True)


def provisioned(name: str) -> dict[str, list[dict[str, object]]]:
    document: dict[str, list[dict[str, object]]] = yaml.safe_load((GRAFANA / "provisioning" / name).read_text("utf-8"))
    return document


@pytest.mark.parametrize("directory", ["provisioning", "sources"])
def test_the_yaml_is_tidy(directory: str) -> None:
    passes(["yamllint", "--strict", "-d", YAML_STYLE, Path(GRAFANA, directory)])
