"""PostgreSQL from the wheel."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from scheduler.adapters.embedded import EmbeddedPostgres, EmbeddedServerError
from scheduler.adapters.embedded.cluster import access_rules
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
        (
            "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication FROM pg_roles WHERE rolname = USER",
            False,
        ),
        ("SELECT count(*) FROM pg_auth_members WHERE member::regrole::text = current_user", 0),
        ("SHOW fsync", "on"),
        ("SHOW full_page_writes", "on"),
        ("SHOW synchronous_commit", "on"),
        ("SHOW max_connections", "200"),
        ("SHOW listen_addresses", "127.0.0.1"),
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
    assert server.execute("SHOW unix_socket_directories") == [""]


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


@pytest.mark.parametrize("role", ["scheduler", "postgres"])
@pytest.mark.parametrize("login", ["", ":wrong"])
def test_only_the_passwords_bearer_gets_in(server: EmbeddedPostgres, role: str, login: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        query(f"postgresql://{role}{login}@127.0.0.1:{server.port}/scheduler", "SELECT 1")


def test_the_role_runs_no_programs_and_the_superuser_is_there_for_its_owner(server: EmbeddedPostgres) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        query(server.url, "COPY (SELECT 1) TO PROGRAM 'cat'")
    assert query(server.superuser_url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is True


def test_a_cluster_of_a_version_without_passwords_gets_them_before_its_port_opens(tmp_path: Path) -> None:
    make_trusting_cluster(tmp_path)
    with EmbeddedPostgres(tmp_path) as server:
        assert query(server.url, "SELECT answer FROM kept") == 42
        assert query(server.url, "ALTER TABLE kept ADD COLUMN more INT") is None
        assert query(server.url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
        assert query(server.superuser_url, "SELECT oid::INT8 FROM pg_roles WHERE rolname = current_user") == 10
        with pytest.raises(psycopg.OperationalError, match="password"):
            query(f"postgresql://scheduler@127.0.0.1:{server.port}/scheduler", "SELECT 1")


def test_passwords_that_were_removed_are_drawn_again(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path) as server:
        before = server.url, server.superuser_url
        server.stop()
        (tmp_path / "password").unlink()
        server.start()
        assert query(server.url, "SELECT 1") == 1
        assert query(server.superuser_url, "SELECT 1") == 1
        assert (server.url != before[0], server.superuser_url) == (True, before[1])


def test_a_start_that_was_killed_before_the_server_knew_its_password_is_repeated(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path) as server:
        server.stop()
        (tmp_path / "password").write_text("drawn-and-not-told")
        access_rules(tmp_path / "pgdata").write_text("")
        server.start()
        assert ":drawn-and-not-told@" in server.url
        assert query(server.url, "SELECT 1") == 1


def test_a_password_that_the_server_refuses_is_told_in_one_line(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path) as server:
        server.stop()
        (tmp_path / "password").write_text("another-one")
        with pytest.raises(
            EmbeddedServerError, match=f"refuses the password in {tmp_path}/password: remove"
        ) as failure:
            server.start()
        assert "\n" not in str(failure.value)


def make_trusting_cluster(folder: Path) -> None:
    """Leave what earlier versions left: a superuser named scheduler, tables of its own, and no passwords."""
    with EmbeddedPostgres(folder) as server:
        query(server.superuser_url, "CREATE TABLE kept AS SELECT 42 AS answer")
        query(server.superuser_url, "ALTER DATABASE scheduler OWNER TO postgres")
        query(server.superuser_url, "DROP ROLE scheduler")
        query(server.superuser_url, "UPDATE pg_authid SET rolname = 'scheduler', rolpassword = NULL WHERE oid = 10")
    access_rules(folder / "pgdata").write_text("host all all 127.0.0.1/32 trust\n")
    for name in ("password", "superuser_password"):
        (folder / name).unlink()


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


def user_of(pid: int) -> int:
    return Path("/proc", str(pid)).stat().st_uid


@contextmanager
def another_postmaster(uid: int) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program of that name, as the user whom the server runs as."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        program = shutil.copy(shutil.which("sleep") or "", Path(folder) / "postgres")
        with subprocess.Popen([program, "600"], user=uid if os.geteuid() == 0 else None) as running:
            yield running


def test_a_start_waits_for_an_earlier_postmaster_that_is_about_to_end(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path) as server, another_postmaster(user_of(server.pid)) as earlier:
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
