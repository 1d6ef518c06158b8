"""A Prometheus server on the rules of deploy/prometheus, at many times their speed."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from scheduler.adapters.embedded.ports import free_port
from tests.acceptance.operations import eventually, get
from tests.deploy.rules import PROMETHEUS
from tests.deploy.tools import tool

SPEED = 30
"""What takes Prometheus a minute takes this one two seconds."""
HOST = "127.0.0.1"
_MILLISECONDS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"(?<=[ \[])(\d+)([smhd])\b")


class Prometheus:
    """One that answers on a port."""

    def __init__(self, port: int) -> None:
        self._port = port

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire now."""
        alerts = self._get("alerts")["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def await_firing(self, alert: str) -> None:
        """Wait until it fires."""
        eventually(lambda: alert in self.firing())

    def finds(self, query: str) -> bool:
        """Tell whether a query has a result."""
        return bool(self._get(f"query?query={quote(query)}")["result"])

    def metrics(self) -> set[str]:
        """Return the names of all metrics that its targets have shown."""
        return set(self._get("metadata"))

    def is_ready(self) -> bool:
        """Tell whether it answers."""
        try:
            return get(self._port, "/-/ready").status == 200
        except OSError:
            return False

    def _get(self, path: str) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(get(self._port, f"/api/v1/{path}").body)["data"]
        return data


@contextmanager
def running_prometheus(directory: Path, ports: Mapping[str, int]) -> Iterator[Prometheus]:
    """Run a server that scrapes these ports, by the name of their scrape job."""
    program, port = tool("prometheus"), free_port()
    options = {
        "config.file": _configure(directory, ports),
        "storage.tsdb.path": directory / "data",
        "web.listen-address": f"{HOST}:{port}",
        "log.level": "warn",
    }
    with (directory / "log").open("w") as log:
        server = subprocess.Popen(
            [program, *(f"--{name}={value}" for name, value in options.items())], stdout=log, stderr=log
        )
    prometheus = Prometheus(port)
    try:
        eventually(prometheus.is_ready)
        yield prometheus
    finally:
        server.terminate()
        server.wait()


def _configure(directory: Path, ports: Mapping[str, int]) -> Path:
    """Write the configuration with other targets and speed, and its rules beside it; return its place."""
    config = yaml.safe_load(_faster((PROMETHEUS / "prometheus.yml").read_text("utf-8")))
    for job in config["scrape_configs"]:
        del job["dns_sd_configs"]
        job["static_configs"] = [{"targets": [f"{HOST}:{ports[job['job_name']]}"]}]
    for name in config["rule_files"]:
        (directory / name).write_text(_faster((PROMETHEUS / name).read_text("utf-8")), "utf-8")
    place = directory / "prometheus.yml"
    place.write_text(yaml.safe_dump(config), "utf-8")
    return place


def _faster(text: str) -> str:
    """Divide every interval, window and `for` by SPEED."""
    return _DURATION.sub(lambda found: f"{int(found[1]) * _MILLISECONDS[found[2]] // SPEED}ms", text)
