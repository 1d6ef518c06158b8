"""An embedded server never outlives its owner, and never ends before it."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from tests.integration.embedded_tools import (
    CLEAN_END,
    KINDS,
    RECOVERY,
    Owner,
    answers,
    exists,
    is_listening,
    owner,
    parent,
    spawned,
    tree,
    users_of,
    wait_until,
)

pytestmark = pytest.mark.servers
# What the servers log when they are told to stop.
STOP_REQUESTS = ("shutdown request", "Received SIG")
both = pytest.mark.parametrize("kind", KINDS)


@both
def test_a_killed_owner_takes_the_server_along_cleanly(kind: str, tmp_path: Path) -> None:
    with owner(kind, tmp_path) as killed:
        processes = [*tree(killed.pid), parent(killed.pid)]
        killed.kill()
        assert_gone(killed, processes)
    assert_ended_cleanly(kind, tmp_path)


@both
def test_a_start_right_after_the_owner_was_killed_succeeds(kind: str, tmp_path: Path) -> None:
    with owner(kind, tmp_path) as killed:
        killed.kill()
        with KINDS[kind](tmp_path, killed.port) as server:
            assert answers(server)
            assert not exists(killed.pid)
            assert RECOVERY not in server.log.read_text()


@both
def test_a_start_while_the_killed_owner_is_not_yet_reaped_succeeds(kind: str, tmp_path: Path) -> None:
    with owner(kind, tmp_path) as killed:
        killed.process.kill()
        with KINDS[kind](tmp_path, killed.port) as server:
            assert answers(server)


@both
def test_an_owner_that_ends_without_a_stop_leaves_no_server(kind: str, tmp_path: Path) -> None:
    with owner(kind, tmp_path, "leave") as left:
        assert left.process.wait() == 0
        assert_gone(left, [left.pid])
    assert_ended_cleanly(kind, tmp_path)


@both
def test_a_child_that_the_owner_forked_does_not_keep_the_server(kind: str, tmp_path: Path) -> None:
    with owner(kind, tmp_path, "fork") as killed:
        try:
            killed.kill()
            assert_gone(killed, [killed.pid])
            assert exists(killed.child)
            with KINDS[kind](tmp_path) as server:
                assert answers(server)
        finally:
            os.kill(killed.child, signal.SIGKILL)
    assert_ended_cleanly(kind, tmp_path)


@both
def test_ctrl_c_in_the_terminal_reaches_the_owner_only(kind: str, tmp_path: Path) -> None:
    with owner(kind, tmp_path, "deaf") as interrupted:
        os.killpg(interrupted.process.pid, signal.SIGINT)
        assert json.loads(interrupted.next_line()) == {"interrupted": True}
        # What the terminal's foreground group and a closed terminal reach.
        for pid in (interrupted.pid, parent(interrupted.pid)):
            assert os.getpgid(pid) != interrupted.process.pid
            assert os.getsid(pid) != os.getsid(interrupted.process.pid)
        assert is_listening(interrupted.port)
        assert CLEAN_END[kind] not in (tmp_path / f"{kind}.log").read_text()


@both
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_guard_outlives_signals_meant_for_everybody(kind: str, number: signal.Signals, tmp_path: Path) -> None:
    with KINDS[kind](tmp_path) as server:
        os.kill(parent(server.pid), number)
        server.freeze()  # the guard answers, hence has had the signal
        server.thaw()
        assert answers(server)


@both
def test_a_server_started_by_a_thread_outlives_the_thread(kind: str, tmp_path: Path) -> None:
    server = KINDS[kind](tmp_path)
    thread = Thread(target=server.start)
    thread.start()
    thread.join()
    try:
        # A signal at the thread's end would be in the log before the answers.
        assert all(answers(server) for _ in range(20))
        assert not any(request in server.log.read_text() for request in STOP_REQUESTS)
    finally:
        server.stop()


@both
def test_a_killed_guard_takes_the_server_along(kind: str, tmp_path: Path) -> None:
    with KINDS[kind](tmp_path) as server:
        pid = server.pid
        os.kill(parent(pid), signal.SIGKILL)
        wait_until(lambda: not server.is_alive(), "the end is noticed")
        server.start()
        assert not exists(pid)
        assert answers(server)
        assert RECOVERY not in server.log.read_text()


@both
def test_owner_and_guard_killed_at_once_leave_no_server(kind: str, tmp_path: Path) -> None:
    with owner(kind, tmp_path) as killed:
        guard = parent(killed.pid)
        os.kill(guard, signal.SIGSTOP)
        killed.process.kill()
        os.kill(guard, signal.SIGKILL)
        killed.process.wait()
        assert_gone(killed, [killed.pid, guard])
    assert_ended_cleanly(kind, tmp_path)


def file_exists(*parts: str) -> Callable[[Path], bool]:
    return lambda data_dir: data_dir.joinpath(*parts).exists()


MOMENTS = {
    "at once": Path.exists,
    "directory locked": file_exists("postgres.lock"),
    "guard of the creation runs": file_exists("postgres.log"),
    "creation began": file_exists("pgdata.new", "PG_VERSION"),
    "creation goes on": file_exists("pgdata.new", "global", "pg_control"),
    "creation is done": file_exists("pgdata"),
    "server comes up": file_exists("pgdata", "postmaster.pid"),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_owner_killed_while_postgres_starts_leaves_nothing_behind(moment: str, tmp_path: Path) -> None:
    with spawned("postgres", tmp_path) as killed:
        has_come = MOMENTS[moment]
        wait_until(lambda: has_come(tmp_path), moment)
        kill_and_start_again("postgres", killed, tmp_path)


@pytest.mark.parametrize("moment", ["valkey.lock", "valkey.log", "appendonlydir"])
def test_an_owner_killed_while_valkey_starts_leaves_nothing_behind(moment: str, tmp_path: Path) -> None:
    with spawned("valkey", tmp_path) as killed:
        wait_until((tmp_path / moment).exists, moment)
        kill_and_start_again("valkey", killed, tmp_path)


def kill_and_start_again(kind: str, killed: subprocess.Popen[str], data_dir: Path) -> None:
    killed.kill()
    killed.wait()
    wait_until(lambda: not users_of(data_dir), "all processes have gone")
    with KINDS[kind](data_dir) as server:
        assert answers(server)


def assert_gone(ended: Owner, processes: list[int]) -> None:
    wait_until(lambda: not any(exists(pid) for pid in processes), "the processes have gone")
    assert not is_listening(ended.port)


def assert_ended_cleanly(kind: str, data_dir: Path) -> None:
    log = (data_dir / f"{kind}.log").read_text()
    assert CLEAN_END[kind] in log.splitlines()[-1]
    with KINDS[kind](data_dir) as server:
        assert answers(server)
        assert RECOVERY not in server.log.read_text()
