"""The command line against the real thing."""

import asyncio
import re
from collections.abc import Iterator
from uuid import uuid4

import pytest

from scheduler.adapters.cockroach import Migrator, StoreSettings
from scheduler.adapters.embedded import EmbeddedPostgres
from scheduler.adapters.embedded.ports import free_port
from scheduler.entrypoints.stack import Stack
from tests.acceptance.operations import await_ready, eventually
from tests.acceptance.processes import keep_running
from tests.support.sql import create_database
from tests.unit.cli.tool import Ran, run_program

pytestmark = pytest.mark.servers
NO_PORTS = {"GRPC_PORT": "0", "METRICS_PORT": "0"}


class Client:
    """The program, told by its environment where the service is."""

    def __init__(self, address: str) -> None:
        self._address = address

    def __call__(self, *arguments: str) -> Ran:
        return run_program(*arguments, "--json", environment={"SCHEDULER_ADDRESS": self._address})


@pytest.fixture
def client(stack: Stack) -> Client:
    keep_running(stack.worker)
    await_ready(stack.ports.worker_metrics)
    return Client(stack.address)


def test_a_job_is_submitted_watched_and_read(client: Client) -> None:
    ran = client("submit", "noop", "--payload", '{"fail_attempts": 1}', "--retry-initial", "100ms", "--watch")
    submitted, *events = ran.documents
    job_id = str(submitted["job_id"])

    job, history = client("get", job_id).document, client("attempts", job_id).documents

    assert (ran.code, events[-1]["state"]) == (0, "SUCCEEDED")
    assert (job["state"], job["attempts"], job["payload_json"]) == ("SUCCEEDED", 2, '{"fail_attempts": 1}')
    assert [attempt["outcome"] for attempt in history] == ["RETRY", "SUCCEEDED"]


def test_a_running_job_is_cancelled_requeued_with_another_payload_and_succeeds(client: Client) -> None:
    submitted = client("submit", "noop", "--payload", '{"sleep_seconds": 600}', "-p", "critical").document
    job_id = str(submitted["job_id"])
    eventually(lambda: client("get", job_id).document["state"] == "RUNNING")

    cancelled, watched = client("cancel", job_id), client("watch", job_id)
    requeued = client("requeue", job_id, "--payload", "{}", "--expected-version", str(watched.document["version"]))

    assert (cancelled.code, cancelled.document["cancelled"]) == (0, True)
    assert (watched.code, watched.document["state"]) == (1, "CANCELLED")
    assert (requeued.code, requeued.document["version"]) == (0, int(str(watched.document["version"])) + 1)
    assert client("watch", job_id).code == 0


def test_lists_are_read_page_by_page(client: Client) -> None:
    label = f"test={uuid4()}"
    submitted = client("submit", "noop", "-l", label, "--count", "450").documents

    listed = client("list", "-l", label, "-n", "0").documents

    assert {job["job_id"] for job in listed} == {job["job_id"] for job in submitted}
    assert len(listed) == 450


def test_queues_are_counted(client: Client) -> None:
    client("submit", "noop", "--at", "+1h")

    scheduled = client("queues").document["scheduled"]

    assert isinstance(scheduled, int)
    assert scheduled >= 1


def test_an_unknown_job_is_an_error_object(client: Client) -> None:
    ran = client("get", str(uuid4()))

    assert (ran.code, ran.stdout, ran.error["status"]) == (1, "", "NOT_FOUND")


@pytest.fixture(scope="module")
def guarded_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A server that asks for a password."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("guarded")) as server:
        yield server


@pytest.mark.parametrize("command", ["api", "worker", "reaper", "migrate"])
def test_a_wrong_password_is_one_line(guarded_postgres: EmbeddedPostgres, command: str) -> None:
    url = re.sub(":[^:/@]+@", ":a-wrong-one@", guarded_postgres.url)
    assert url != guarded_postgres.url

    ran = run_program(command, environment={**NO_PORTS, "DATABASE_URL": url})

    assert ran.code == 1
    assert "password" in ran.error_line
    assert "a-wrong-one" not in ran.error_line


@pytest.mark.parametrize("command", ["api", "worker", "reaper"])
def test_an_unmigrated_schema_is_one_line_that_says_what_to_do(postgres_url: str, command: str) -> None:
    ran = run_program(command, environment={**NO_PORTS, "DATABASE_URL": create_database(postgres_url)})

    assert ran.code == 1
    assert "scheduler migrate" in ran.error_line


def test_migrate_brings_a_schema_up_to_date_once(postgres_url: str) -> None:
    environment = {"DATABASE_URL": create_database(postgres_url)}

    first, second = run_program("migrate", environment=environment), run_program("migrate", environment=environment)

    assert (first.code, second.code) == (0, 0)
    assert all(line.startswith("applied ") for line in first.lines)
    assert second.stdout == "the schema is up to date\n"


@pytest.fixture(scope="module")
def migrated_url(postgres_url: str) -> str:
    url = create_database(postgres_url)
    asyncio.run(Migrator(StoreSettings(url=url)).migrate())
    return url


@pytest.mark.parametrize("variable", ["GRPC_PORT", "METRICS_PORT"])
def test_a_port_in_use_is_named_in_one_line(stack: Stack, migrated_url: str, redis_url: str, variable: str) -> None:
    port = stack.ports.grpc if variable == "GRPC_PORT" else stack.ports.api_metrics
    servers = {"DATABASE_URL": migrated_url, "REDIS_URL": redis_url}
    here = {"GRPC_HOST": "127.0.0.1", "METRICS_HOST": "127.0.0.1"}

    ran = run_program("api", environment={**NO_PORTS, **servers, **here, variable: str(port)})

    assert ran.code == 1
    assert ran.stderr.splitlines()[-1] == f"scheduler: port {port} is already in use"
    assert "Traceback" not in ran.stderr


def test_a_second_scheduler_on_the_same_data_is_refused_in_one_line(stack: Stack) -> None:
    ports = ["--grpc-port", str(free_port()), "--metrics-port", str(free_port())]

    ran = run_program("up", "--data-dir", str(stack.log_directory.parent), *ports)

    assert ran.code == 1
    assert ran.error_line.startswith("scheduler: ")
