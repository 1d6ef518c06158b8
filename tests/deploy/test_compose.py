"""The compose stack, as far as it can be judged without a Docker engine."""

import re
import shutil
import subprocess
from datetime import timedelta

import pytest
import yaml

from scheduler.entrypoints import api, reaper, worker
from scheduler.entrypoints.settings import Settings
from tests.deploy.compose import COMPOSE, FILE, Service, ours, services, variables
from tests.deploy.tools import DEPLOY, ROOT, passes

SERVICES = services()
NAMES = sorted(SERVICES)
RUNNING = sorted(name for name, service in SERVICES.items() if not service.is_one_shot)
YAML_STYLE = """
extends: default
rules:
  braces: {max-spaces-inside: 0}
  comments: {min-spaces-from-content: 1}
  document-start: disable
  line-length: {max: 140}
"""


@pytest.fixture(params=NAMES)
def service(request: pytest.FixtureRequest) -> Service:
    return SERVICES[request.param]


def test_the_file_follows_the_specification() -> None:
    passes(["check-jsonschema", "--builtin-schema", "vendor.compose-spec", FILE])
    passes(["yamllint", "--strict", "-d", YAML_STYLE, FILE])


def test_compose_itself_accepts_the_file() -> None:
    has_plugin = (
        shutil.which("docker") and subprocess.run(["docker", "compose", "version"], check=False).returncode == 0
    )
    if not has_plugin:
        pytest.skip("docker compose is not installed")
    passes(["docker", "compose", "--file", FILE, "--profile", "cluster", "config", "--quiet"])


def example(name: str) -> dict[str, str]:
    """Return the variables that a file shows, each in a comment."""
    lines = (COMPOSE / name).read_text().splitlines()
    return dict(line.removeprefix("#").split("=", 1) for line in lines if re.match(r"#[A-Z_]+=", line))


def test_every_variable_of_the_stack_is_shown_with_its_default() -> None:
    shown = example(".env.example")

    assert shown.pop("COMPOSE_PROFILES") == "cluster"
    assert shown == variables()


def test_what_is_shown_for_the_service_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = example("scheduler.env.example")
    for name, value in shown.items():
        monkeypatch.setenv(name, value)

    settings = Settings.load()

    assert shown.keys() <= {name.upper() for name in Settings.model_fields}
    assert settings.store_url == shown["DATABASE_URL"]


def test_no_service_has_more_rights_than_it_needs(service: Service) -> None:
    document = service.document

    assert document["read_only"] is True
    assert document["cap_drop"] == ["ALL"]
    assert "cap_add" not in document
    assert document["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in document


def test_every_service_is_bounded(service: Service) -> None:
    assert service.document["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}
    assert service.document["logging"]["options"].keys() == {"max-size", "max-file"}


def test_every_image_has_a_version(service: Service) -> None:
    name, _, tag = service.document["image"].partition(":")

    assert tag
    assert not tag.startswith("latest")
    assert service in ours() or name.startswith("docker.io/")


@pytest.mark.parametrize("name", RUNNING)
def test_every_service_that_stays_is_watched_and_started_again(name: str) -> None:
    document = SERVICES[name].document

    assert document["restart"] == "unless-stopped"
    assert "healthcheck" in document or "HEALTHCHECK" in (ROOT / "Dockerfile").read_text()
    assert "disable" not in document.get("healthcheck", {})


def test_nothing_is_reachable_from_other_machines(service: Service) -> None:
    assert all(port.startswith("127.0.0.1:") for port in service.document.get("ports", []))


def test_what_is_mounted_exists_and_cannot_be_written(service: Service) -> None:
    for source, target in service.mounts.items():
        assert (COMPOSE / source).exists(), source
        assert f"{source}:{target}:ro" in service.document["volumes"]


@pytest.mark.parametrize("service", ours(), ids=lambda service: service.name)
class TestOurParts:
    def test_they_can_be_told_everything(self, service: Service) -> None:
        assert service.document["env_file"] == [{"path": "scheduler.env", "required": False}]

    def test_they_are_given_variables_that_exist(self, service: Service) -> None:
        assert service.environment.keys() <= {name.upper() for name in Settings.model_fields}

    def test_what_they_are_given_by_default_is_valid(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in service.environment.items():
            monkeypatch.setenv(name, value)

        settings = Settings.load()

        assert settings.store_url == "postgresql://root@cockroach:26257/scheduler?sslmode=disable"
        assert settings.queue_url == "redis://redis:6379/0"
        assert settings.grpc_client_share == 1, "all clients come from the balancer's address"

    def test_they_have_time_to_drain(self, service: Service) -> None:
        seconds = int(service.document["stop_grace_period"].removesuffix("s"))
        assert timedelta(seconds=seconds) >= timedelta(seconds=Settings.load().grace_seconds) * 2

    def test_they_can_write_to_tmp_alone(self, service: Service) -> None:
        assert [mount.split(":")[0] for mount in service.document["tmpfs"]] == ["/tmp"]


def test_everything_waits_for_the_schema_and_the_schema_for_the_database() -> None:
    done = "service_completed_successfully"

    assert SERVICES["migrate"].waits_for == {"cockroach-init": done}
    for name in ("api", "worker", "reaper"):
        assert SERVICES[name].waits_for["migrate"] == done
    assert SERVICES["nginx"].waits_for == {"api": "service_healthy"}


def test_neither_api_nor_reaper_is_alone() -> None:
    replicas = {name: int(SERVICES[name].document["deploy"]["replicas"]) for name in ("api", "worker", "reaper")}

    assert replicas == {"api": 2, "worker": 1, "reaper": 2}


def test_the_cluster_is_one_node_unless_its_profile_is_chosen() -> None:
    nodes = {name: SERVICES[name] for name in NAMES if re.fullmatch(r"cockroach-\d", name)}

    assert {name: node.document.get("profiles", []) for name, node in nodes.items()} == {
        "cockroach-1": [],
        "cockroach-2": ["cluster"],
        "cockroach-3": ["cluster"],
    }
    for name, node in nodes.items():
        assert node.document["command"] == [f"--advertise-addr={name}"]
        assert f"--join={','.join(nodes)}" in node.document["entrypoint"]
        assert node.document["networks"] == {"data": {"aliases": ["cockroach"]}}


def test_what_is_exposed_reaches_neither_sql_nor_redis() -> None:
    networks = {name: set(SERVICES[name].document["networks"]) for name in NAMES}

    assert networks["nginx"] == {"edge"}
    assert {name for name in NAMES if "edge" in networks[name]} == {"api", "nginx"}
    assert not networks["grafana"] & (networks["redis"] | networks["cockroach-1"])


def test_grafana_finds_its_dashboards_and_prometheus() -> None:
    provisioning = DEPLOY / "grafana" / "provisioning"
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "scheduler.yml").read_text())["providers"]
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]

    assert SERVICES["grafana"].mounts["../grafana/dashboards"] == provider["options"]["path"]
    assert source["url"] == "http://prometheus:9090"
    assert SERVICES["grafana"].document["networks"] == SERVICES["prometheus"].document["networks"]


def test_prometheus_finds_every_part_where_it_listens() -> None:
    scraped = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    targets = {config["names"][0]: config["port"] for job in scraped for config in job["dns_sd_configs"]}

    ours = {"api": api.METRICS_PORT, "worker": worker.METRICS_PORT, "reaper": reaper.METRICS_PORT}
    assert ours.items() <= targets.items()
    for name in ours:
        assert "monitoring" in SERVICES[name].document["networks"]
        assert "METRICS_PORT" not in SERVICES[name].environment
