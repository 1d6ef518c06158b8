"""`scheduler health`, as a container's health check runs it."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from typer.testing import CliRunner

from scheduler.adapters.embedded.ports import free_port
from scheduler.entrypoints import api, reaper, worker
from scheduler.entrypoints.cli import health_command
from scheduler.entrypoints.cli.app import build
from tests.unit.cli.test_program import FOR_SERVERS_ONLY, modules_imported_by
from tests.unit.cli.tool import Ran

HOST = "127.0.0.1"
WELL = {"/health": 200, "/ready": 200}
DEGRADED = {"/health": 200, "/ready": 503}
STUCK = {"/health": 503, "/ready": 200}


@contextmanager
def process(answers: dict[str, int]) -> Iterator[int]:
    """Answer as a process of ours does; give the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(answers[self.path])
            self.end_headers()
            self.wfile.write(f"says {answers[self.path]}".encode())

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Accept and never answer, as a process whose event loop is stuck."""
    with socket.create_server((HOST, 0)) as listening:
        yield listening.getsockname()[1]


def health(*arguments: str, **environment: str) -> Ran:
    unset = {"METRICS_PORT": "", "METRICS_HOST": ""}
    result = CliRunner().invoke(build(), ["health", *arguments], env={**unset, **environment}, prog_name="scheduler")
    return Ran(result.exit_code, result.stdout, result.stderr)


def on_ports(monkeypatch: pytest.MonkeyPatch, ports: Sequence[int]) -> None:
    monkeypatch.setattr(health_command, "DEFAULT_PORTS", tuple(ports))


def test_the_ports_without_a_variable_are_those_of_the_processes() -> None:
    assert (api.METRICS_PORT, worker.METRICS_PORT, reaper.METRICS_PORT) == health_command.DEFAULT_PORTS


def test_a_process_that_is_well_is_success() -> None:
    with process(WELL) as port:
        ran = health(METRICS_PORT=str(port))

    assert (ran.code, ran.lines) == (0, [f"127.0.0.1:{port}/health: says 200"])


def test_a_stuck_process_is_a_failure_that_is_told() -> None:
    with process(STUCK) as port:
        ran = health("--port", str(port))

    assert (ran.code, ran.lines) == (1, [f"127.0.0.1:{port}/health: says 503"])


@pytest.mark.parametrize(("answers", "code"), [(WELL, 0), (DEGRADED, 1), (STUCK, 0)])
def test_ready_asks_another_question(answers: dict[str, int], code: int) -> None:
    with process(answers) as port:
        assert health("--ready", "--port", str(port)).code == code


def test_a_process_that_does_not_answer_in_time_is_a_failure(silent_port: int) -> None:
    ran = health("--timeout", "0.1", "--port", str(silent_port))

    assert ran.code == 1
    assert "timed out" in ran.stdout


def test_nobody_at_the_port_is_a_failure() -> None:
    ran = health(METRICS_PORT=str(free_port()))

    assert ran.code == 1
    assert "refused" in ran.stdout


def test_an_answer_that_is_no_http_is_a_failure() -> None:
    with socket.create_server((HOST, 0)) as listening:
        port = listening.getsockname()[1]

        def answer() -> None:
            connection, _ = listening.accept()
            connection.sendall(b"SSH-2.0\r\n")
            connection.close()

        thread = Thread(target=answer)
        thread.start()
        ran = health("--port", str(port))
        thread.join()

    assert ran.code == 1
    assert "no HTTP" in ran.stdout


def test_without_a_port_every_process_that_is_there_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with process(WELL) as first, process(WELL) as second:
        on_ports(monkeypatch, [first, free_port(), second])
        ran = health()

    assert ran.code == 0
    assert [line.split("/")[0] for line in ran.lines] == [f"127.0.0.1:{first}", f"127.0.0.1:{second}"]


def test_one_that_is_unwell_is_enough_for_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    with process(WELL) as first, process(STUCK) as second:
        on_ports(monkeypatch, [first, second])
        assert health().code == 1


def test_one_that_does_not_answer_is_enough_for_a_failure(monkeypatch: pytest.MonkeyPatch, silent_port: int) -> None:
    with process(WELL) as first:
        on_ports(monkeypatch, [first, silent_port])
        assert health("--timeout", "0.1").code == 1


def test_nobody_at_all_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    on_ports(monkeypatch, [free_port()])

    ran = health()

    assert (ran.code, ran.stdout) == (1, "")
    assert "no process listens on 127.0.0.1" in ran.error_line


def test_a_process_that_listens_everywhere_is_reached_on_loopback() -> None:
    with process(WELL) as port:
        ran = health(METRICS_PORT=str(port), METRICS_HOST="0.0.0.0")

    assert (ran.code, ran.lines) == (0, [f"127.0.0.1:{port}/health: says 200"])


def test_the_check_needs_neither_grpc_nor_drivers() -> None:
    assert not modules_imported_by("health", "--port", str(free_port())) & (FOR_SERVERS_ONLY | {"grpc"})
