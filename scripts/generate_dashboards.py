"""Write Grafana's dashboards from their sources, or check that they are what the sources say.

    python scripts/generate_dashboards.py            write deploy/grafana/dashboards
    python scripts/generate_dashboards.py --check    exit 1, naming the files, when they differ

A source (deploy/grafana/sources/*.yml) has rows of panels. A panel has a title and queries (legend: expression). It may
have: kind (timeseries, stat, table), unit (as Grafana names it), help, width (of 24), and a limit: bad_from or
bad_below.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import yaml

GRAFANA = Path(__file__).resolve().parent.parent / "deploy" / "grafana"
COLUMNS = 24
DEFAULT_WIDTH = 8
HEIGHT = 8
ROW_HEIGHT = 1
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
TAG = "scheduler"


def dashboard(source: dict) -> dict:
    """Return what Grafana imports."""
    return {
        "uid": source["uid"],
        "title": source["title"],
        "tags": [TAG],
        "schemaVersion": 39,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "links": [
            {
                "title": "Scheduler",
                "type": "dashboards",
                "tags": [TAG],
                "asDropdown": True,
                "includeVars": True,
                "keepTime": True,
            }
        ],
        "templating": {
            "list": [{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
        },
        "panels": _layout(source["rows"]),
    }


def _layout(rows: list[dict]) -> list[dict]:
    """Place the rows below each other, and the panels of each from left to right."""
    placed: list[dict] = []
    top = 0
    for row in rows:
        place = {"x": 0, "y": top, "w": COLUMNS, "h": ROW_HEIGHT}
        placed.append({"type": "row", "title": row["title"], "collapsed": False, "gridPos": place, "panels": []})
        top = _place_panels(row["panels"], top + ROW_HEIGHT, placed)
    return [{"id": number, **panel} for number, panel in enumerate(placed, start=1)]


def _place_panels(sources: list[dict], top: int, placed: list[dict]) -> int:
    """Append the panels of a row; return where the next row begins."""
    left = 0
    for source in sources:
        width = source.get("width", DEFAULT_WIDTH)
        if left + width > COLUMNS:
            left, top = 0, top + HEIGHT
        placed.append({**_panel(source), "gridPos": {"x": left, "y": top, "w": width, "h": HEIGHT}})
        left += width
    return top + HEIGHT


def _panel(source: dict) -> dict:
    kind = source.get("kind", "timeseries")
    return {
        "type": kind,
        "title": source["title"],
        "description": source.get("help", ""),
        "datasource": DATASOURCE,
        "fieldConfig": {"defaults": _field(source), "overrides": []},
        "options": OPTIONS[kind],
        "targets": [
            _target(number, legend, expression, is_table=kind == "table")
            for number, (legend, expression) in enumerate(source["queries"].items())
        ],
    }


OPTIONS = {
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {
        "colorMode": "value",
        "graphMode": "area",
        "textMode": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"]},
    },
    "table": {"showHeader": True},
}


def _target(number: int, legend: str, expression: str, *, is_table: bool) -> dict:
    target = {
        "refId": chr(ord("A") + number),
        "datasource": DATASOURCE,
        "expr": expression,
        "legendFormat": legend,
    }
    return target | ({"format": "table", "instant": True} if is_table else {"range": True})


def _field(source: dict) -> dict:
    """Return a panel's unit, and its colours where it has a limit."""
    field = {"unit": source.get("unit", "short"), "min": 0}
    if "bad_from" in source:
        return field | _limit(source["bad_from"], below="green", above="red")
    if "bad_below" in source:
        return field | _limit(source["bad_below"], below="red", above="green")
    return field


def _limit(value: float, *, below: str, above: str) -> dict:
    steps = [{"color": below, "value": None}, {"color": above, "value": value}]
    return {"thresholds": {"mode": "absolute", "steps": steps}, "custom": {"thresholdsStyle": {"mode": "line"}}}


def generate() -> dict[Path, str]:
    """Return the text of every dashboard by its place."""
    sources = {file: yaml.safe_load(file.read_text("utf-8")) for file in sorted((GRAFANA / "sources").glob("*.yml"))}
    return {
        GRAFANA / "dashboards" / f"{file.stem}.json": json.dumps(dashboard(source), indent=2) + "\n"
        for file, source in sources.items()
    }


def drift(wanted: dict[Path, str]) -> list[Path]:
    """Return the files that are missing, left over, or differ."""
    found = {file: file.read_text("utf-8") for file in (GRAFANA / "dashboards").glob("*.json")}
    return sorted(file for file in wanted | found if wanted.get(file) != found.get(file))


def main() -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(description="Generate Grafana's dashboards.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 on drift")
    wanted = generate()
    changed = drift(wanted)
    if parser.parse_args().check:
        print(*changed, "drift: run make dashboards" if changed else "the dashboards are current", sep="\n")
        return 1 if changed else 0
    for file in changed:
        if file in wanted:
            file.write_text(wanted[file], "utf-8")
        else:
            file.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
