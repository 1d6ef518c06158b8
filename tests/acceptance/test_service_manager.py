"""What the processes tell systemd, read from a socket like its own; and how they take a reload."""

import asyncio
import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import pytest

from scheduler.adapters.embedded.ports import free_port
from scheduler.entrypoints.children import Child
from scheduler.entrypoints.stack import Stack
from tests.acceptance.load import Load, run_load
from tests.acceptance.operations import eventually, get
from tests.acceptance.processes import keep_running, running, sibling, stop

pytestmark = pytest.mark.servers

WATCHDOG_SECONDS = 0.6
PATIENCE_SECONDS = 30.0


class Manager:
    """Stands in for systemd: its socket is abstract, as systemd's may be."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self._name = f"scheduler-test-{uuid4()}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{self._name}")

    @property
    def environment(self) -> Mapping[str, str | int]:
        return {"NOTIFY_SOCKET": f"@{self._name}", "WATCHDOG_USEC": int(WATCHDOG_SECONDS * 1_000_000)}

    def read(self, seconds: float) -> bool:
        """Read one notice; tell whether one came in time."""
        self._socket.settimeout(seconds)
        try:
            self.received += self._socket.recv(4096).decode().splitlines()
        except TimeoutError:
            return False
        return True

    def read_until(self, holds: Callable[[Counter[str]], bool]) -> None:
        """Read notices until the condition holds for how often each has come."""
        give_up = time.monotonic() + PATIENCE_SECONDS
        while not holds(Counter(self.received)):
            self.read(1.0)
            assert time.monotonic() < give_up, self.received

    def is_silent(self) -> bool:
        """Tell whether nothing comes for longer than systemd would wait, and forget what has come."""
        self.received.clear()
        return not self.read(2 * WATCHDOG_SECONDS)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager() -> Iterator[Manager]:
    opened = Manager()
    yield opened
    opened.close()


def managed(child: Child, manager: Manager, *options: str, **environment: str | int) -> Child:
    ports = {"GRPC_PORT": free_port(), "METRICS_PORT": free_port()}
    return sibling(child, f"managed-{uuid4().hex[:8]}", *options, **ports, **manager.environment, **environment)


def part(stack: Stack, kind: str) -> Child:
    return {child.name: child for child in stack.children}[kind]


@pytest.mark.parametrize("kind", ["api", "worker", "reaper"])
def test_a_process_tells_that_it_serves_that_it_lives_and_that_it_stops(
    stack: Stack, manager: Manager, kind: str
) -> None:
    with running(managed(part(stack, kind), manager)) as child:
        manager.read_until(lambda seen: seen["READY=1"] >= 1)
        assert get(int(child.environment["METRICS_PORT"]), "/ready").status == 200
        manager.read_until(lambda seen: seen["WATCHDOG=1"] >= 4)
        assert "STOPPING=1" not in manager.received

        assert stop(child) == 0
        manager.read_until(lambda seen: seen["STOPPING=1"] == 1)


def test_signs_of_life_pause_while_the_event_loop_is_blocked(stack: Stack, manager: Manager) -> None:
    async def block(load: Load) -> None:
        await load.add(1, job_type="unruly.hog", seconds=3.0)
        await asyncio.to_thread(eventually, manager.is_silent)
        await asyncio.to_thread(manager.read_until, lambda seen: seen["WATCHDOG=1"] >= 2)
        await load.until_ended()

    # Its only worker, so that the job comes to it.
    stop(stack.worker)
    try:
        with running(managed(stack.worker, manager)):
            manager.read_until(lambda seen: seen["WATCHDOG=1"] >= 4)
            run_load(stack, block)
    finally:
        keep_running(stack.worker)


def test_a_fleet_replaces_a_process_that_is_stuck_and_is_alive_again(stack: Stack, manager: Manager) -> None:
    with running(managed(stack.api, manager, "--processes", "2")) as fleet:
        manager.read_until(lambda seen: seen["READY=1"] >= 1 and seen["WATCHDOG=1"] >= 4)
        frozen = children_of(fleet)[0]
        os.kill(frozen, signal.SIGSTOP)
        eventually(lambda: "stuck_process_killed" in logged(fleet) and "process_restarted" in logged(fleet))
        assert frozen not in children_of(fleet)
        manager.received.clear()
        manager.read_until(lambda seen: seen["WATCHDOG=1"] >= 2)

        assert stop(fleet) == 0
        manager.read_until(lambda seen: seen["STOPPING=1"] == 1)


@pytest.mark.parametrize("processes", ["1", "2"])
def test_sighup_has_the_level_of_the_logs_read_again(stack: Stack, tmp_path: Path, processes: str) -> None:
    level = tmp_path / "log-level"
    name = f"reloaded-{uuid4().hex[:8]}"
    child = sibling(
        stack.reaper if processes == "1" else stack.api,
        name,
        *([] if processes == "1" else ["--processes", processes]),
        GRPC_PORT=free_port(),
        METRICS_PORT=free_port(),
        LOG_LEVEL_FILE=str(level),
    )
    with running(child):
        eventually(lambda: is_ready(int(child.environment["METRICS_PORT"])))
        level.write_text("nonsense\n")
        child.send(signal.SIGHUP)
        eventually(lambda: "log_level_not_changed" in logged(child))
        level.write_text("debug\n")
        child.send(signal.SIGHUP)
        # The parent and each of its children.
        expected = 1 if processes == "1" else 1 + int(processes)
        eventually(lambda: logged(child).count('"log_level": "DEBUG"') >= expected)
        assert child.exit_code() is None


def is_ready(port: int) -> bool:
    try:
        return get(port, "/ready").status == 200
    except OSError:
        return False


def logged(child: Child) -> str:
    assert child.log is not None
    return child.log.read_text() if child.log.exists() else ""


def children_of(child: Child) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()]
