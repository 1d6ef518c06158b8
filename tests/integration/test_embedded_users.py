"""PostgreSQL refuses root: the ways around it, and the normal user who needs none."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import psycopg
import pytest

from scheduler.adapters.embedded import EmbeddedPostgres, EmbeddedServerError
from scheduler.adapters.embedded.binaries import postgres_programs
from scheduler.adapters.embedded.run_as import RunAs, as_nobody, as_ourselves, choose_run_as, in_mount_namespace
from tests.integration.embedded_tools import KINDS, OWNER, RECOVERY, import_path, owner, query

pytestmark = pytest.mark.servers
as_root = pytest.mark.usefixtures("root")

NOBODY: Final = 65534
POSTGRES: Final = "postgres"


@pytest.fixture
def root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")


@pytest.fixture
def open_dir() -> Iterator[Path]:
    """Make a directory that every user may enter; pytest's own are private."""
    path = Path(tempfile.mkdtemp(prefix="scheduler-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def usable(way: RunAs) -> RunAs:
    if not way.can_run(postgres_programs()):
        pytest.skip(f"PostgreSQL of this environment cannot be run {way.description}")
    return way


def user_of(pid: int) -> int:
    return Path("/proc", str(pid)).stat().st_uid


@as_root
@pytest.mark.parametrize("way", [in_mount_namespace, as_nobody])
def test_process_and_files_are_nobodys_without_a_user_namespace(open_dir: Path, way: Callable[[], RunAs]) -> None:
    with EmbeddedPostgres(open_dir / "data", run_as=usable(way())) as server:
        assert query(server.url, "SELECT 1") == 1
        assert (open_dir / "data" / "pgdata").stat().st_uid == NOBODY
        assert user_of(server.pid) == NOBODY
        process = Path("/proc", str(server.pid))
        assert (process / "ns" / "user").readlink() == Path("/proc/self/ns/user").readlink()
        assert privileges(process) == {0}
        assert (open_dir / "data").stat().st_uid == 0


def privileges(process: Path) -> set[int]:
    """Read the capabilities that the process has or may get."""
    lines = (process / "status").read_text().splitlines()
    return {int(line.split()[1], 16) for line in lines if line.startswith(("CapInh", "CapPrm", "CapEff", "CapAmb"))}


@as_root
@pytest.mark.parametrize("way", [in_mount_namespace, as_nobody])
def test_its_superuser_reads_and_writes_no_file_of_root(open_dir: Path, way: Callable[[], RunAs]) -> None:
    marker = open_dir / "marker"
    marker.write_text("root's own\n")
    marker.chmod(0o600)
    with EmbeddedPostgres(open_dir / "data", run_as=usable(way())) as server:
        query(server.superuser_url, "CREATE TABLE told (line TEXT)")
        for statement in (f"COPY told FROM PROGRAM 'cat {marker}'", f"COPY told TO PROGRAM 'cat > {open_dir}/new'"):
            with pytest.raises(psycopg.Error):
                query(server.superuser_url, statement)
        assert not (open_dir / "new").exists()


@as_root
def test_a_private_directory_of_root_stays_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with EmbeddedPostgres(tmp_path / "data", run_as=usable(in_mount_namespace())) as server:
        assert query(server.url, "SELECT 1") == 1
        assert [path.stat().st_mode & 0o777 for path in (tmp_path, tmp_path / "data")] == [0o700, 0o700]


@as_root
def test_without_a_mount_namespace_private_directories_let_nobody_through_and_no_other_user(open_dir: Path) -> None:
    private = open_dir / "private"
    private.mkdir(mode=0o700)
    with EmbeddedPostgres(private / "data", run_as=usable(as_nobody()), parents=[private]) as server:
        assert query(server.url, "SELECT 1") == 1
        for path in (private, private / "data"):
            assert (path.stat().st_uid, path.stat().st_gid, path.stat().st_mode & 0o777) == (0, NOBODY, 0o710)


@as_root
def test_the_same_data_serve_both_ways(open_dir: Path) -> None:
    ways = [usable(in_mount_namespace()), usable(as_nobody()), usable(in_mount_namespace())]
    for count, way in enumerate(ways, start=1):
        with EmbeddedPostgres(open_dir / "data", run_as=way) as server:
            query(server.url, "CREATE TABLE IF NOT EXISTS ways (way text)")
            query(server.url, "INSERT INTO ways VALUES ('one more')")
            assert query(server.url, "SELECT count(*) FROM ways") == count
            assert RECOVERY not in server.log.read_text()


@as_root
def test_data_that_a_user_namespace_made_are_adopted(open_dir: Path) -> None:
    with EmbeddedPostgres(open_dir / "data") as server:
        query(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")
    for path in [pgdata := open_dir / "data" / "pgdata", *pgdata.rglob("*")]:
        os.chown(path, 0, 0)
    with EmbeddedPostgres(open_dir / "data") as server:
        assert query(server.url, "SELECT answer FROM kept") == 42


@as_root
def test_a_directory_that_nobody_cannot_reach_is_told_in_one_line(open_dir: Path) -> None:
    open_dir.chmod(0o700)
    with pytest.raises(EmbeddedServerError, match="cannot be reached as user nobody") as failure:
        EmbeddedPostgres(open_dir / "data", run_as=usable(as_nobody())).start()
    assert "\n" not in str(failure.value)


@as_root
def test_a_program_that_nobody_may_run_is_told_in_one_line(open_dir: Path) -> None:
    (open_dir / POSTGRES).touch(mode=0o700)
    with pytest.raises(EmbeddedServerError, match=f"{open_dir}/{POSTGRES} cannot be run as user nobody: install"):
        as_nobody().require(open_dir)


@as_root
def test_root_prefers_the_mount_namespace_and_falls_back_to_nobody() -> None:
    programs = postgres_programs()
    namespace = in_mount_namespace()
    assert choose_run_as(programs) == (namespace if namespace.can_run(programs) else as_nobody())
    assert choose_run_as(Path("/nonexistent/a/b/c")) == as_nobody()


@as_root
def test_data_of_a_normal_user_are_left_to_that_user(open_dir: Path) -> None:
    with EmbeddedPostgres(open_dir / "data") as server:
        server.stop()
        os.chown(open_dir / "data" / "pgdata", 12345, -1)
        with pytest.raises(EmbeddedServerError, match="belongs to user 12345: start as that user"):
            server.start()


@pytest.mark.parametrize("kind", KINDS)
def test_a_normal_user_starts_stops_and_restarts(kind: str, open_dir: Path) -> None:
    home = open_dir / "home"
    home.mkdir()
    uid = NOBODY if os.geteuid() == 0 else os.geteuid()
    if uid != os.geteuid():
        os.chown(home, uid, uid)
    python = interpreter_of(uid)
    for _ in range(2):
        with owner(kind, home / "data", python=python, uid=uid if uid != os.geteuid() else None) as user:
            assert user.uid == uid
            assert user_of(user.pid) == uid
            user.process.communicate()
            assert user.process.returncode == 0


def interpreter_of(uid: int) -> str:
    """Find an interpreter that the user may run, and that finds the package and the wheels."""
    for python in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        if finds_everything(python, uid):
            return python
    return pytest.skip(f"no Python >= 3.11 that user {uid} may run, or the package is out of the user's reach")


def finds_everything(python: str, uid: int) -> bool:
    check = f"import sys, scheduler.adapters.embedded; assert sys.version_info >= (3, 11); open({str(OWNER)!r})"
    user = None if uid == os.geteuid() else uid
    try:
        return not subprocess.run(
            [python, "-c", check],
            env={"PYTHONPATH": import_path(), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            check=False,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        ).returncode
    except PermissionError:
        return False


def test_a_normal_user_needs_no_other_one() -> None:
    command = as_ourselves().command(postgres_programs(), Path("/data"))
    assert (command.prefix, command.uid, command.folder) == ((), None, Path("/data"))
    if os.geteuid() != 0:
        assert choose_run_as(postgres_programs()) == as_ourselves()
