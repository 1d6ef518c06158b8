import platform
import re
import shutil
import subprocess
from contextlib import suppress

import pytest
from prometheus_client.parser import text_string_to_metric_families

from scheduler.adapters.memory.fixed_clock import FixedClock
from scheduler.adapters.prometheus.build_info import publish_build_info
from scheduler.adapters.prometheus.calls import QueueMetrics, StoreMetrics
from scheduler.adapters.prometheus.failures import FailureMetrics
from scheduler.adapters.prometheus.faults import FaultMetrics
from scheduler.adapters.prometheus.handler_processes import HandlerProcessMetrics
from scheduler.adapters.prometheus.metrics import Metrics
from scheduler.adapters.prometheus.process import DependencyMetrics, LoopLagMetrics
from scheduler.adapters.prometheus.reaper import ReaperMetrics
from scheduler.adapters.prometheus.rpc import RpcMetrics
from scheduler.adapters.prometheus.stops import StopMetrics
from scheduler.adapters.prometheus.submit import SubmitMetrics
from scheduler.adapters.prometheus.worker import WorkerMetrics
from scheduler.application.errors import QueueUnavailableError, StoreUnavailableError
from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.state import JobState
from tests.architecture.rules import ROOT
from tests.support.builders import a_job
from tests.unit.prometheus.scrape import samples, value

DOCUMENT = ROOT / "docs" / "metrics.md"


@pytest.fixture
def promtool() -> str:
    path = shutil.which("promtool")
    if path is None:
        pytest.skip("promtool (Debian: prometheus) is not installed")
    return path


def everything() -> Metrics:
    metrics = Metrics()
    publish_build_info(metrics, version="1.2.3")
    SubmitMetrics(metrics).submit_failed("InvalidFieldError")
    WorkerMetrics(metrics, types=["noop"], slots=10)
    HandlerProcessMetrics(metrics)
    StopMetrics(metrics, types=["noop"])
    ReaperMetrics(metrics, clock=FixedClock())
    FaultMetrics(metrics).fault("claim_failed", OSError())
    RpcMetrics(metrics, methods=["GetJob"])
    store = StoreMetrics(metrics)
    store.repeated("load", "serialization")
    with suppress(StoreUnavailableError), store.call("load"):
        raise StoreUnavailableError("gone")
    with suppress(QueueUnavailableError), QueueMetrics(metrics).call("claim"):
        raise QueueUnavailableError("gone")
    DependencyMetrics(metrics).dependency("sql", ok=True)
    FailureMetrics(metrics).failed(a_job(state=JobState.DEADLETTER), AttemptOutcome.LOST)
    LoopLagMetrics(metrics)
    return metrics


def families(metrics: Metrics) -> dict[str, tuple[str, frozenset[str]]]:
    """Return each metric's kind and the names of its labels."""
    found: dict[str, tuple[str, frozenset[str]]] = {}
    for family in text_string_to_metric_families(metrics.render()[0].decode()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        assert family.samples, name
        found[name] = (family.type, frozenset(family.samples[0].labels) - {"le"})
    return found


def documented_metrics() -> dict[str, tuple[str, frozenset[str]]]:
    """Read the rows of docs/metrics.md: | `name` | kind | `label` ... |."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]*) \|", DOCUMENT.read_text(), re.MULTILINE)
    return {name: (kind, frozenset(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def test_worker_and_reaper_of_one_process_share_a_registry() -> None:
    assert value(everything(), "jobs_deadlettered_total", priority="low") == 0


def test_two_registries_do_not_see_each_other() -> None:
    one, other = Metrics(), Metrics()

    SubmitMetrics(one).submit_failed("x")
    SubmitMetrics(other)

    assert value(other, "jobs_submitted_errors_total", error_type="x") is None


def test_the_build_is_shown() -> None:
    python = platform.python_version()

    assert value(everything(), "scheduler_build_info", version="1.2.3", python=python) == 1


def test_no_created_series_are_shown() -> None:
    names = {name for name, _ in samples(everything().render()[0].decode())}

    assert [name for name in names if name.endswith("_created")] == []


def test_the_process_itself_is_shown() -> None:
    assert (value(everything(), "process_start_time_seconds") or 0) > 0


def test_the_content_type_is_prometheus_text() -> None:
    assert everything().render()[1].startswith("text/plain; version=0.0.4")


def test_the_documentation_has_each_metric_with_its_kind_and_labels() -> None:
    shown = families(everything())
    documented = {name: (kind, labels) for name, (kind, labels) in documented_metrics().items() if kind}

    assert documented == {name: family for name, family in shown.items() if not name.startswith("process_")}


def test_promtool_finds_nothing_to_complain_about(promtool: str) -> None:
    text = everything().render()[0]

    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)

    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")
