"""What the manifests say of metrics is what the program shows and the rules expect."""

import re
from pathlib import Path

import yaml

from tests.deploy.manifests import PROCESSES, container, named, ports, render
from tests.deploy.rules import PROMETHEUS
from tests.deploy.tools import ROOT, passes


def queries() -> dict[str, str]:
    triggers = render("production").one("ScaledObject", "scheduler-worker")["spec"]["triggers"]
    return {each["name"]: each["metadata"]["query"] for each in triggers}


def test_workers_are_scaled_by_metrics_that_exist_in_their_namespace() -> None:
    (namespace,) = render("production").of("Namespace")
    documented = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE)

    for query in queries().values():
        metrics = re.findall(r"(\w+){(.*?)}", query)
        assert metrics
        for metric, labels in metrics:
            assert metric in documented
            assert labels == f'namespace="{named(namespace)}"'


def test_workers_are_added_before_all_slots_are_busy() -> None:
    triggers = render("production").one("ScaledObject", "scheduler-worker")["spec"]["triggers"]

    (busy,) = (each for each in triggers if each["name"] == "busy-slots")
    assert 0.5 < float(busy["metadata"]["threshold"]) < 1


def test_prometheus_accepts_the_queries(tmp_path: Path) -> None:
    rules = [{"record": f"scaling:{name.replace('-', '_')}", "expr": query} for name, query in queries().items()]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "scaling", "rules": rules}]}))

    assert f"{len(rules)} rules found" in passes(["promtool", "check", "rules", file])


def test_scrape_jobs_have_the_names_that_the_rules_expect() -> None:
    found = render("production")
    (endpoint,) = found.one("PodMonitor", "scheduler")["spec"]["podMetricsEndpoints"]
    (relabeling,) = endpoint["relabelings"]
    configured = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]

    assert relabeling["sourceLabels"] == ["__meta_kubernetes_pod_label_app_kubernetes_io_component"]
    assert relabeling["targetLabel"] == "job"
    jobs = [relabeling["replacement"].replace("$1", process) for process in PROCESSES]
    assert sorted(jobs) == sorted(each["job_name"] for each in configured)


def test_every_process_and_nothing_else_is_scraped() -> None:
    found = render("production")
    (endpoint,) = found.one("PodMonitor", "scheduler")["spec"]["podMetricsEndpoints"]

    scraped = [name for name, each in found.workloads().items() if endpoint["port"] in ports(each)]
    assert sorted(scraped) == sorted(f"scheduler-{process}" for process in PROCESSES)
    assert "ports" not in container(found.one("Job", "scheduler-migrate"))
