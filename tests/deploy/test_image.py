"""The image: no engine runs here, so its steps are done without one, and its limits are set by hand."""

import re
from collections.abc import Mapping
from importlib.metadata import distributions
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from scheduler.adapters.embedded.ports import free_port
from tests.acceptance.operations import await_ready
from tests.deploy.image import Image, build_image, require_namespaces
from tests.deploy.tools import ROOT, passes
from tests.support.sql import create_database

HOST = "127.0.0.1"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PINNED = re.compile(r"^([\w.-]+)(?:\[[^]]*\])?==([\w.]+)", re.MULTILINE)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return build_image(tmp_path_factory.mktemp("image"))


@pytest.fixture
def servers(postgres_url: str, redis_url: str) -> Mapping[str, str]:
    return {"DATABASE_URL": create_database(postgres_url), "REDIS_URL": redis_url, "REDIS_KEY_PREFIX": "{image}:"}


def listening() -> Mapping[str, str]:
    return {"GRPC_HOST": HOST, "METRICS_HOST": HOST, "GRPC_PORT": str(free_port()), "METRICS_PORT": str(free_port())}


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_dockerfile_has_no_known_faults() -> None:
    passes(["hadolint", ROOT / "Dockerfile"])


def test_both_stages_have_one_base_with_a_version() -> None:
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) == ["${BASE}", "${BASE}"]
    assert re.search(r"^ARG BASE=\S+:3\.\d+-slim-\w+$", DOCKERFILE, re.MULTILINE)


def test_the_image_holds_what_is_locked_for_it_and_the_service_alone(image: Image) -> None:
    (packages,) = image.venv.glob("lib/python3.*/site-packages")
    installed = {normalised(found.name): found.version for found in distributions(path=[str(packages)])}
    lock = (ROOT / "requirements/runtime.txt").read_text()
    locked = {normalised(name): version for name, version in PINNED.findall(lock)}

    assert "grpc-task-scheduler" in installed
    others = {name: version for name, version in installed.items() if name != "grpc-task-scheduler"}
    assert others.items() <= locked.items()
    assert {"grpcio", "psycopg-binary", "redis", "uvloop"} <= others.keys()


def test_it_is_compiled_because_nothing_can_be_written_where_it_runs(image: Image) -> None:
    sources = list(image.venv.glob("lib/python3.*/site-packages/**/*.py"))

    assert sources
    assert [source for source in sources if not Path(cache_from_source(str(source))).exists()] == []


@pytest.mark.servers
def test_all_parts_run_from_it_without_any_right_on_a_read_only_root(image: Image, servers: Mapping[str, str]) -> None:
    require_namespaces()
    api, worker, reaper = ({**servers, **listening()} for _ in range(3))
    address = {"SCHEDULER_ADDRESS": f"{HOST}:{api['GRPC_PORT']}"}

    assert "applied 0001" in image.run("scheduler", "migrate", environment=servers)
    with (
        image.running("api", environment=api),
        image.running("worker", "--processes", "2", environment=worker),
        image.running("reaper", environment=reaper),
    ):
        for part in (api, worker, reaper):
            await_ready(int(part["METRICS_PORT"]))
            image.run("scheduler", "health", "--ready", environment=part)
        assert "succeeded" in image.run("scheduler", "submit", "noop", "--watch", environment=address)


def test_its_processes_can_write_to_their_folder_alone(image: Image) -> None:
    require_namespaces()

    script = 'id -u; touch "$TMPDIR/file" && ! touch "$0" 2>&1'
    said = image.run("sh", "-c", script, str(image.venv / "file"), environment={})

    assert said.splitlines()[0] == "10001"
    assert "Read-only" in said
