import platform
import shutil
import subprocess

import pytest

from scheduler.adapters.memory.fixed_clock import FixedClock
from scheduler.adapters.prometheus.build_info import publish_build_info
from scheduler.adapters.prometheus.faults import FaultMetrics
from scheduler.adapters.prometheus.handler_processes import HandlerProcessMetrics
from scheduler.adapters.prometheus.metrics import Metrics
from scheduler.adapters.prometheus.reaper import ReaperMetrics
from scheduler.adapters.prometheus.rpc import RpcMetrics
from scheduler.adapters.prometheus.stops import StopMetrics
from scheduler.adapters.prometheus.submit import SubmitMetrics
from scheduler.adapters.prometheus.worker import WorkerMetrics
from tests.unit.prometheus.scrape import samples, value


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
    WorkerMetrics(metrics, types=["noop"])
    HandlerProcessMetrics(metrics)
    StopMetrics(metrics, types=["noop"])
    ReaperMetrics(metrics, clock=FixedClock())
    FaultMetrics(metrics).fault("claim_failed", OSError())
    RpcMetrics(metrics, methods=["GetJob"])
    return metrics


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


def test_exactly_the_documented_metrics_are_shown() -> None:
    lines = everything().render()[0].decode().splitlines()
    found = dict(line.split()[2:4] for line in lines if line.startswith("# TYPE "))
    ours = {name: kind for name, kind in found.items() if not name.startswith("process_")}

    assert ours == {
        "cancel_latency_seconds": "histogram",
        "degraded": "gauge",
        "deadletter_jobs": "gauge",
        "faults_total": "counter",
        "grpc_request_duration_seconds": "histogram",
        "grpc_requests_total": "counter",
        "handler_processes": "gauge",
        "handler_processes_ended_total": "counter",
        "handlers_abandoned_alive": "gauge",
        "handlers_abandoned_total": "counter",
        "job_processing_duration_seconds": "histogram",
        "jobs_deadlettered_total": "counter",
        "jobs_processed_total": "counter",
        "jobs_requeued_total": "counter",
        "jobs_retried_total": "counter",
        "jobs_submitted_errors_total": "counter",
        "jobs_submitted_total": "counter",
        "lease_renewals_total": "counter",
        "processing_queue_depth": "gauge",
        "queue_depth": "gauge",
        "queue_latency_seconds": "histogram",
        "queue_oldest_age_seconds": "gauge",
        "queue_repairs_total": "counter",
        "reaper_jobs_recovered_total": "counter",
        "retry_pump_jobs_requeued_total": "counter",
        "retrying_jobs": "gauge",
        "running_jobs": "gauge",
        "scheduled_jobs": "gauge",
        "scheduler_build_info": "gauge",
        "stale_results_total": "counter",
        "worker_inflight_jobs": "gauge",
        "workers_alive": "gauge",
        "workers_lost_total": "counter",
    }


def test_promtool_finds_nothing_to_complain_about(promtool: str) -> None:
    text = everything().render()[0]

    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)

    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")
