"""PostgreSQL from the wheel."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from scheduler.adapters.embedded import EmbeddedPostgres, EmbeddedServerError
from tests.integration.embedded_tools import RECOVERY, query, wait_until

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tmp_path_factory.mktemp("postgres")) as running:
        yield running


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT current_user || '@' || current_database()", "scheduler@scheduler"),
        ("SELECT rolsuper FROM pg_roles WHERE rolname = current_user", True),
        ("SHOW fsync", "on"),
        ("SHOW full_page_writes", "on"),
        ("SHOW synchronous_commit", "on"),
        ("SHOW max_connections", "200"),
        ("SHOW listen_addresses", "127.0.0.1"),
        ("SHOW unix_socket_directories", ""),
        ("SHOW server_encoding", "UTF8"),
        ("SELECT datcollate FROM pg_database WHERE datname = current_database()", "C"),
        ("SHOW timezone", "UTC"),
    ],
)
def test_a_durable_local_server_with_our_role_and_database(
    server: EmbeddedPostgres, statement: str, expected: object
) -> None:
    assert query(server.url, statement) == expected


def test_only_the_loopback_address_listens(server: EmbeddedPostgres) -> None:
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.2", server.port)) != 0


def test_data_survive_a_clean_stop_without_recovery(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path) as server:
        query(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")
    with EmbeddedPostgres(tmp_path) as server:
        assert query(server.url, "SELECT answer FROM kept") == 42
        assert RECOVERY not in server.log.read_text()


def test_committed_data_survive_a_crash(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path) as server:
        query(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")
        server.kill()
        server.start()
        assert query(server.url, "SELECT answer FROM kept") == 42
        assert RECOVERY in server.log.read_text()


def test_open_sessions_do_not_delay_a_stop(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path) as server:
        with psycopg.connect(server.url) as session:
            session.execute("SELECT 1")
            server.stop()
            with pytest.raises(psycopg.OperationalError):
                session.execute("SELECT 1")
        assert "received fast shutdown request" in server.log.read_text()


def test_settings_are_passed_on(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path, settings={"fsync": "off", "max_connections": "20"}) as server:
        assert query(server.url, "SHOW fsync") == "off"
        assert query(server.url, "SHOW max_connections") == "20"


def test_statements_run_in_any_of_its_databases(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path) as server:
        assert server.execute("CREATE DATABASE other") == []
        assert server.execute("SELECT current_database(), 1 UNION ALL SELECT 'b', 2", database="other") == [
            "other|1",
            "b|2",
        ]
        assert query(server.url_of("other"), "SELECT current_database()") == "other"
        with pytest.raises(EmbeddedServerError, match=r'^other: relation "nothing" does not exist$'):
            server.execute("SELECT * FROM nothing", database="other")


def test_a_setting_that_is_wrong_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedServerError, match=r"did not start: .*no_such_setting") as failure:
        EmbeddedPostgres(tmp_path, settings={"no_such_setting": "1"}).start()
    assert "\n" not in str(failure.value)


def test_with_a_password_only_its_bearer_gets_in(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path, password="p@ss 'w:rd/\n\\é") as server:
        assert query(server.url, "SELECT 1") == 1
        for url in (
            f"postgresql://scheduler:wrong@127.0.0.1:{server.port}/scheduler",
            f"postgresql://scheduler@127.0.0.1:{server.port}/scheduler",
        ):
            with pytest.raises(psycopg.OperationalError, match="password"):
                query(url, "SELECT 1")


def test_a_password_that_is_not_the_first_one_is_told_in_one_line(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path, password="one") as server:
        server.stop()
        with pytest.raises(EmbeddedServerError, match="created with another password"):
            EmbeddedPostgres(tmp_path, password="two").start()
        server.start()
        assert query(server.url, "SELECT 1") == 1


def test_a_creation_that_was_killed_half_way_is_done_again(tmp_path: Path) -> None:
    draft = tmp_path / "pgdata.new"
    draft.mkdir()
    (draft / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(tmp_path) as server:
        assert query(server.url, "SELECT 1") == 1
    assert not draft.exists()


def test_a_process_id_left_by_a_crash_and_given_to_another_program_does_not_lock_us_out(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path) as server, subprocess.Popen(["sleep", "600"]) as stranger:
        pid_file = tmp_path / "pgdata" / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
        server.kill()
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        try:
            server.start()
        finally:
            stranger.kill()
        assert query(server.url, "SELECT 1") == 1


def test_a_start_waits_for_an_earlier_postmaster_that_is_about_to_end(tmp_path: Path) -> None:
    postmaster = shutil.copy(shutil.which("sleep") or "", tmp_path / "postgres")
    with EmbeddedPostgres(tmp_path) as server, subprocess.Popen([postmaster, "600"]) as earlier:
        pid_file = tmp_path / "pgdata" / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
        server.kill()
        pid_file.write_text("\n".join([str(earlier.pid), *lines[1:]]) + "\n")
        with ThreadPoolExecutor() as pool:
            start = pool.submit(server.start)
            wait_until(lambda: 'lock file "postmaster.pid" already' in server.log.read_text(), "it had to wait")
            earlier.kill()
            earlier.wait()
            start.result()
        assert query(server.url, "SELECT 1") == 1
