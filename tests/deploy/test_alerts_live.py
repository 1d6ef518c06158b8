"""Alerts tried for real: Prometheus scrapes a running stack, a worker is killed, the alerts fire, and clear again."""

import re
import signal
from collections.abc import Iterator

import pytest

from scheduler.entrypoints.stack import Stack
from tests.acceptance.operations import await_ready, eventually
from tests.acceptance.processes import keep_running, send
from tests.deploy.expressions import panel_expressions, rule_expressions
from tests.deploy.prometheus import Prometheus, running_prometheus
from tests.deploy.promql import parse

pytestmark = pytest.mark.servers
EXPECTED = ["SchedulerProcessDown", "SchedulerNoLiveWorker"]
"""In the order in which they fire: a scrape fails at once, the lease runs out later."""


@pytest.fixture(scope="module")
def prometheus(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """One that has scraped all processes of the stack."""
    keep_running(stack.worker)
    await_ready(stack.ports.worker_metrics)
    ports = {
        "scheduler-api": stack.ports.api_metrics,
        "scheduler-worker": stack.ports.worker_metrics,
        "scheduler-reaper": stack.ports.reaper_metrics,
    }
    with running_prometheus(tmp_path_factory.mktemp("prometheus"), ports) as server:
        eventually(lambda: server.finds('sum(up{job=~"scheduler-.+"}) == 3 and sum(workers_alive) > 0'))
        yield server


def test_every_metric_that_rules_and_dashboards_ask_for_is_scraped(prometheus: Prometheus) -> None:
    expressions = [expression for _, expression in (*rule_expressions(), *panel_expressions())]
    asked = {selector.metric for expression in expressions for selector in parse(expression).selectors}
    ours = {name for name in asked if ":" not in name} - {"up", "ALERTS"}

    assert {re.sub("_(bucket|sum|count)$", "", name) for name in ours} - prometheus.metrics() == set()


def test_alerts_fire_when_the_last_worker_is_killed_and_clear_when_one_is_back(
    stack: Stack, prometheus: Prometheus
) -> None:
    eventually(lambda: prometheus.firing().isdisjoint(EXPECTED))

    send(stack.worker, signal.SIGKILL)
    stack.worker.await_end()
    for alert in EXPECTED:
        prometheus.await_firing(alert)

    stack.worker.start()
    await_ready(stack.ports.worker_metrics)
    eventually(lambda: prometheus.firing().isdisjoint(EXPECTED))
