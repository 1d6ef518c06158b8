"""The command line as a program: what it loads, how it fails, and how it behaves in a pipe."""

import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path

import grpc
import pytest

from scheduler.adapters.embedded.ports import free_port
from scheduler.adapters.grpc.client import Patience
from scheduler.entrypoints.cli import main
from tests.unit.cli.tool import PATIENCE_SECONDS, PROGRAM, Tool, run_program

FOR_SERVERS_ONLY = {"psycopg", "redis", "dependency_injector", "aiohttp", "prometheus_client", "structlog"}
SERVICE = "scheduler.v1.SchedulerService"
UNREACHABLE = {"COCKROACHDB_HOST": "127.0.0.1", "COCKROACHDB_PORT": "1", "DATABASE_URL": "", "START_SECONDS": "0"}


def modules_imported_by(*arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *PROGRAM[1:], *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    return {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


def test_the_console_script_is_this_program() -> None:
    (script,) = entry_points(group="console_scripts", name="scheduler")

    assert script.load() is main


def test_help_needs_neither_grpc_nor_drivers() -> None:
    assert not modules_imported_by("--help") & (FOR_SERVERS_ONLY | {"grpc"})


def test_a_client_command_needs_no_drivers(tool: Tool) -> None:
    loaded = modules_imported_by("queues", "--address", tool.address)

    assert "grpc" in loaded
    assert not loaded & FOR_SERVERS_ONLY


def test_the_version_is_told() -> None:
    ran = run_program("--version")

    assert ran.code == 0
    assert ran.stdout.startswith("scheduler ")


@pytest.mark.parametrize(
    "command",
    [
        "up",
        "demo",
        "api",
        "worker",
        "reaper",
        "migrate",
        "health",
        "submit",
        "get",
        "watch",
        "list",
        "cancel",
        "requeue",
        "attempts",
        "queues",
    ],
)
def test_every_command_has_help(command: str, tool: Tool) -> None:
    ran = tool(command, "--help")

    assert ran.code == 0
    assert f"scheduler {command}" in ran.stdout


@pytest.mark.parametrize("command", ["submit", "get", "watch", "list", "cancel", "requeue", "attempts", "queues"])
def test_every_client_command_takes_an_address_and_json(command: str, tool: Tool) -> None:
    shown = tool(command, "--help").stdout

    assert "--address" in shown
    assert "--json" in shown
    assert "SCHEDULER_ADDRESS" in shown


def test_an_empty_address_variable_counts_as_unset() -> None:
    shown = run_program("get", "x", "--help", environment={"SCHEDULER_ADDRESS": ""})

    assert "127.0.0.1:8081" in shown.stdout


def test_a_service_that_does_not_answer_is_named_in_one_line() -> None:
    address = f"127.0.0.1:{free_port()}"

    ran = run_program("submit", "noop", "--address", address)

    assert (ran.code, ran.stdout) == (1, "")
    assert ran.error_line.startswith(f"scheduler: UNAVAILABLE: {address}: ")


def test_a_service_that_is_unavailable_is_given_up_before_the_library_would() -> None:
    with busy_service() as (address, calls):
        ran = run_program("queues", "--address", address)

    assert ran.code == 1
    assert len(calls) < Patience().tries


@contextmanager
def busy_service() -> Iterator[tuple[str, list[str]]]:
    """Serve nothing: each call is noted, and answered by UNAVAILABLE."""
    calls: list[str] = []

    def refuse(_request: bytes, context: grpc.ServicerContext) -> bytes:
        calls.append("called")
        context.abort(grpc.StatusCode.UNAVAILABLE, "busy")

    methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "GetQueueStats": grpc.unary_unary_rpc_method_handler(refuse)
    }
    with ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool, handlers=[grpc.method_handlers_generic_handler(SERVICE, methods)])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}", calls
        finally:
            server.stop(None).wait()


def test_an_empty_address_is_refused(tool: Tool) -> None:
    ran = tool("queues", "--address", "")

    assert ran.code == 2
    assert "--address" in ran.stderr


@pytest.mark.parametrize(
    "arguments", [("get", "\udcff"), ("list", "--type", "\udcff"), ("queues", "--address", "\udcff:1")]
)
def test_an_argument_that_is_no_text_is_refused(arguments: Sequence[str], tool: Tool) -> None:
    ran = tool(*arguments)

    assert ran.code == 2
    assert ran.error_line.endswith("is not valid UTF-8")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_may_be_closed(closed: str, tool: Tool) -> None:
    job_id = tool.submit("noop", "--at", "+1h")
    arguments = ["cancel", job_id, "--address", tool.address]

    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", *PROGRAM, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert tool("get", job_id, "--json").document["state"] == "CANCELLED"


def test_a_payload_from_a_closed_stream_is_refused(tool: Tool) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" <&-', "sh", *PROGRAM, "submit", "x", "--payload", "-", "--address", tool.address],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )

    assert done.returncode == 2
    assert "standard input is closed" in done.stderr


@pytest.mark.parametrize("command", ["api", "up"])
def test_a_bad_variable_is_named_in_one_line(command: str) -> None:
    ran = run_program(command, environment={"GRPC_PORT": "eighty", "LEASE_SECONDS": "1"})

    assert (ran.code, ran.stdout) == (1, "")
    assert "GRPC_PORT: " in ran.error_line
    assert "LEASE_SECONDS: " in ran.error_line


@pytest.mark.parametrize("command", ["worker", "migrate"])
def test_a_database_that_does_not_answer_is_one_line(command: str) -> None:
    ran = run_program(command, environment={**UNREACHABLE, "METRICS_PORT": "0", "GRPC_PORT": "0"})

    assert ran.code == 1
    assert ran.error_line.startswith("scheduler: ")
    assert "127.0.0.1" in ran.error_line


@pytest.mark.parametrize("command", ["api", "worker", "reaper"])
def test_an_option_that_redis_does_not_know_is_one_line_that_names_the_variable(command: str) -> None:
    ran = run_program(command, environment={**UNREACHABLE, "REDIS_URL": "redis://127.0.0.1:1/0?bogus=1"})

    assert ran.code == 1
    assert ran.error_line.startswith("scheduler: REDIS_URL: ")
    assert "'bogus'" in ran.error_line


@pytest.mark.parametrize("command", ["api", "migrate"])
def test_an_option_that_the_database_does_not_know_is_one_line_that_names_the_variable(command: str) -> None:
    ran = run_program(command, environment={"DATABASE_URL": "postgresql://me@127.0.0.1:1/x?bogus=1"})

    assert ran.code == 1
    assert ran.error_line.startswith("scheduler: DATABASE_URL: ")


@pytest.mark.parametrize("kind", ["api", "worker"])
def test_several_processes_that_cannot_start_end_with_their_error(kind: str) -> None:
    ports = {"METRICS_PORT": str(free_port()), "GRPC_PORT": str(free_port())}

    ran = run_program(kind, "--processes", "2", environment={**UNREACHABLE, **ports})

    assert (ran.code, ran.stdout) == (1, "")
    (line,) = set(ran.stderr.splitlines())
    assert line.startswith("scheduler: store is unavailable: ")


@pytest.mark.parametrize("variable", ["GRPC_HOST", "METRICS_HOST"])
def test_an_address_that_several_processes_cannot_serve_is_not_called_a_port_in_use(variable: str) -> None:
    ports = {"METRICS_PORT": str(free_port()), "GRPC_PORT": str(free_port())}

    ran = run_program("api", "--processes", "2", environment={**ports, variable: "192.0.2.1"})

    assert ran.code == 1
    assert "cannot serve on 192.0.2.1:" in ran.error_line


@pytest.mark.parametrize("variable", ["GRPC_PORT", "METRICS_PORT"])
def test_a_port_in_use_is_not_shared_with_who_uses_it(variable: str) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        ports = {"METRICS_PORT": str(free_port()), "GRPC_PORT": str(free_port()), variable: str(port)}

        ran = run_program("api", "--processes", "2", environment=ports)

    assert ran.error_line == f"scheduler: port {port} is already in use"


def test_a_port_in_use_is_named_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]

        ran = run_program("up", "--backend", "memory", "--grpc-port", str(port), "--metrics-port", str(free_port()))

    assert ran.code == 1
    assert ran.stderr.splitlines()[-1] == f"scheduler: port {port} is already in use"
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("backend", ["memory", "servers"])
def test_a_port_of_metrics_that_leaves_none_for_the_reaper_is_one_line(backend: str, tmp_path: Path) -> None:
    place = ("--backend", backend, "--data-dir", str(tmp_path / "data"))

    ran = run_program("up", *place, environment={"GRPC_PORT": "0", "METRICS_PORT": "65534"})

    assert (ran.code, ran.stdout) == (1, "")
    assert ran.error_line.startswith("scheduler: METRICS_PORT: must be 1 to 65533")


def test_the_embedded_servers_need_a_directory(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    ran = run_program("up", "--data-dir", str(file / "below"))

    assert ran.code == 1
    assert ran.error_line.startswith("scheduler: ")


@pytest.mark.parametrize(
    ("name", "why"), [("bad\udcff", "UTF-8"), ("two\nlines", "line breaks"), ("a\rb", "line breaks")]
)
def test_a_directory_that_postgres_cannot_use_is_refused(name: str, why: str, tmp_path: Path) -> None:
    ran = run_program("up", "--data-dir", str(tmp_path / name))

    assert (ran.code, ran.stdout) == (2, "")
    assert "--data-dir" in ran.stderr
    assert why in ran.stderr
    assert not list(tmp_path.iterdir())


def test_a_reader_that_goes_away_ends_the_command_quietly(tool: Tool) -> None:
    tool("submit", "noop", "--count", "2000")

    with subprocess.Popen(
        [*PROGRAM, "list", "--limit", "0", "--json", "--address", tool.address],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as listing:
        assert listing.stdout is not None
        assert listing.stderr is not None
        listing.stdout.readline()
        listing.stdout.close()
        complaint = listing.stderr.read()

    assert (listing.returncode, complaint) == (141, b"")


def test_output_reaches_a_pipe_while_the_command_runs(tool: Tool) -> None:
    job_id = tool.submit("noop", "--at", "+1h")

    with subprocess.Popen(
        [*PROGRAM, "watch", job_id, "--json", "--address", tool.address], stdout=subprocess.PIPE, text=True
    ) as watching:
        assert watching.stdout is not None
        first = watching.stdout.readline()
        tool("cancel", job_id)
        rest = watching.stdout.read()

    assert "SCHEDULED" in first
    assert "CANCELLED" in rest
    assert watching.returncode == 1


def test_a_terminal_that_cannot_show_a_character_gets_a_substitute(tool: Tool) -> None:
    job_id = tool.submit("noop", "-l", "name=größe")

    ran = run_program("get", job_id, "--address", tool.address, environment={"PYTHONIOENCODING": "ascii"})

    assert ran.code == 0
    assert "name=gr??e" in ran.stdout
