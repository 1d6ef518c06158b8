"""What the manifests say of the program is true of it."""

import tomllib
from ipaddress import ip_address, ip_network
from random import Random

import pytest

from scheduler.adapters.grpc import server as grpc_server
from scheduler.adapters.grpc.servicer import SERVICE
from scheduler.adapters.handlers.http_call.addresses import SPECIAL_V4, AddressPolicy
from scheduler.adapters.handlers.process.pool import UNKILLABLE_SECONDS, PoolLimits
from scheduler.adapters.opentelemetry.shutdown import FLUSH_SECONDS
from scheduler.application.worker.worker import CANCEL_SECONDS, RECORD_SECONDS
from scheduler.entrypoints import api, lease_thread, reaper, runtime, worker
from scheduler.entrypoints.settings import Settings
from tests.deploy.manifests import OVERLAYS, Manifest, container, named, pod, ports, render, selects
from tests.deploy.tools import ROOT

METRICS_PORTS = {"api": api.METRICS_PORT, "worker": worker.METRICS_PORT, "reaper": reaper.METRICS_PORT}
overlays = pytest.mark.parametrize("overlay", OVERLAYS)


def defaults() -> Settings:
    return Settings.load()


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


@overlays
def test_variables_exist_and_have_good_values(overlay: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = render(overlay)
    secrets = [variables for each in found.of("Secret") for variables in each["data"]]

    assert {name.lower() for name in (*found.config(), *secrets)} <= Settings.model_fields.keys()
    for name, value in found.config().items():
        monkeypatch.setenv(name, value)
    Settings.load()


@overlays
def test_the_ports_are_the_programs_own(overlay: str) -> None:
    found = render(overlay)

    for process, deployment in found.processes().items():
        expected = {"metrics": METRICS_PORTS[process]}
        if process == "api":
            expected["grpc"] = defaults().grpc_port
        assert ports(deployment) == expected
    for service in (found.one("Service", name) for name in ("scheduler-api", "scheduler-api-headless")):
        assert [(port["port"], port["targetPort"]) for port in service["spec"]["ports"]] == [(8081, "grpc")]


@overlays
def test_a_pod_runs_the_part_that_it_is_named_after(overlay: str) -> None:
    found = render(overlay)

    for process, deployment in found.processes().items():
        assert container(deployment)["args"] == [process]
    assert container(found.one("Job", "scheduler-migrate"))["args"] == ["migrate"]


@overlays
def test_the_image_is_of_this_version_and_its_user(overlay: str) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    user = "USER 10001:10001"

    assert user in (ROOT / "Dockerfile").read_text().splitlines()
    assert f"load docker-image grpc-task-scheduler:{version}\n" in (ROOT / "docs" / "deployment.md").read_text()
    for name, workload in render(overlay).workloads().items():
        if name.startswith("scheduler-"):
            image = container(workload)["image"]
            assert image.rpartition("/")[2] == f"grpc-task-scheduler:{version}"
            assert pod(workload)["securityContext"].items() >= {"runAsUser": 10001, "runAsGroup": 10001}.items()


@overlays
def test_probes_ask_what_the_program_answers(overlay: str) -> None:
    for process, deployment in render(overlay).processes().items():
        only = container(deployment)
        health, ready = ({"path": path, "port": "metrics"} for path in ("/health", "/ready"))
        assert only["startupProbe"]["httpGet"] == only["livenessProbe"]["httpGet"] == health
        if process == "api":
            assert only["readinessProbe"]["grpc"] == {"port": defaults().grpc_port, "service": SERVICE}
        else:
            assert only["readinessProbe"]["httpGet"] == ready


@overlays
def test_a_pod_is_given_longer_to_end_than_its_process_may_take(overlay: str) -> None:
    found = render(overlay)
    grace = float(found.config()["GRACE_SECONDS"])
    handler_processes = PoolLimits().grace.total_seconds() + UNKILLABLE_SECONDS
    worst_worker = CANCEL_SECONDS + RECORD_SECONDS + handler_processes + lease_thread.STOP_SECONDS
    worst = {"api": grpc_server.ABORT_SECONDS, "worker": worst_worker, "reaper": 0.0}

    assert grace == defaults().grace_seconds
    for process, deployment in found.processes().items():
        sleep = container(deployment).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        longest = sleep + grace + worst[process] + FLUSH_SECONDS + runtime.THREAD_SECONDS
        assert pod(deployment)["terminationGracePeriodSeconds"] > longest


@overlays
def test_no_pod_may_do_more_on_the_network_than_a_policy_says(overlay: str) -> None:
    policy = render(overlay).policy("default-deny")

    assert policy == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


@overlays
def test_policies_open_the_ports_that_the_program_uses(overlay: str) -> None:
    found = render(overlay)

    def opened(name: str, direction: str) -> set[int]:
        return {port["port"] for rule in found.policy(name)[direction] for port in rule["ports"]}

    assert opened("api-clients", "ingress") == {defaults().grpc_port}
    assert opened("metrics", "ingress") == set(METRICS_PORTS.values())
    assert opened("sql", "egress") == {defaults().cockroachdb_port, 5432}
    assert opened("redis", "egress") == {defaults().redis_port}
    assert opened("dns", "egress") == {53}


@overlays
def test_who_may_reach_what(overlay: str) -> None:
    found = render(overlay)
    ours = [each for name, each in found.workloads().items() if name.startswith("scheduler-")]

    def reached(policy: str) -> set[str]:
        return {named(each) for each in ours if selects(found.policy(policy)["podSelector"], each)}

    assert reached("sql") == {"scheduler-api", "scheduler-worker", "scheduler-reaper", "scheduler-migrate"}
    assert reached("redis") == {"scheduler-api", "scheduler-worker", "scheduler-reaper"}
    assert reached("http-call") == {"scheduler-worker"}
    assert reached("api-clients") == {"scheduler-api"}


def test_production_says_where_sql_and_redis_are() -> None:
    for name in ("sql", "redis"):
        (rule,) = render("production").policy(name)["egress"]
        assert all("ipBlock" in peer for peer in rule["to"])


def test_workers_reach_the_addresses_that_http_call_allows_and_no_others() -> None:
    (rule,) = render("production").policy("http-call")["egress"]
    blocks = [peer["ipBlock"] for peer in rule["to"]]
    allowed = AddressPolicy()

    for address in sorted(_edges(blocks) | _anywhere(Random(8), 2000)):
        found = ip_address(address)
        reached = any(found in ip_network(each["cidr"]) and not _excepted(address, each) for each in blocks)
        assert reached == (allowed.refusal(found) is None), address


def test_the_policy_names_the_networks_that_http_call_names() -> None:
    (rule,) = render("production").policy("http-call")["egress"]
    (v4,) = [peer["ipBlock"] for peer in rule["to"] if peer["ipBlock"]["cidr"] == "0.0.0.0/0"]

    assert v4["except"] == [str(network) for network, _ in SPECIAL_V4]


def _excepted(address: str, block: Manifest) -> bool:
    return any(ip_address(address) in ip_network(each) for each in block["except"])


def _edges(blocks: list[Manifest]) -> set[str]:
    """Return the addresses inside and outside each end of each network."""
    networks = [ip_network(text) for block in blocks for text in (block["cidr"], *block["except"])]
    ends = [int(end) + step for each in networks for end in (each[0], each[-1]) for step in (-1, 0, 1)]
    return {str(ip_address(end)) for end in ends if 0 <= end < 1 << 128}


def _anywhere(draw: Random, count: int) -> set[str]:
    numbers = [draw.getrandbits(32) for _ in range(count)] + [draw.getrandbits(128) for _ in range(count)]
    return {str(ip_address(number)) for number in numbers}
