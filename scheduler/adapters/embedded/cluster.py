"""A PostgreSQL cluster: the files of one server."""

import os
import shutil
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from scheduler.adapters.embedded.errors import EmbeddedServerError
from scheduler.adapters.embedded.guarded_process import GuardedProcess, Program
from scheduler.adapters.embedded.ports import HOST
from scheduler.adapters.embedded.run_as import RunAs

ROLE: Final = "scheduler"
DATABASE: Final = "scheduler"
CREATION_SECONDS: Final = 120.0
GRACE_SECONDS: Final = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """The files below `path`, and how they are made."""

    path: Path
    programs: Path
    run_as: RunAs
    log: Path
    durable: bool
    password: str | None = field(repr=False)

    def prepare(self, lock: int) -> None:
        """Create the cluster unless there is one, and bring owner and access rules up to date."""
        self.run_as.require(self.programs / "postgres")
        self.run_as.open_path_to(self.path.parent)
        if not self.path.exists():
            self._create(lock)
        self.run_as.adopt(self.path)
        self._write_access_rules()

    def _create(self, lock: int) -> None:
        """Make the files beside their final place, so that a creation killed half-way never counts as done."""
        draft = self.path.with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        self.run_as.adopt(draft)
        self._run(self._initdb(draft), lock)
        self._run(self._single_user(draft), lock, stdin=self._first_statements())
        draft.rename(self.path)
        if self.durable:
            _sync_directory(self.path.parent)

    def _initdb(self, draft: Path) -> tuple[str, ...]:
        # initdb syncs what it wrote, and nothing later would: checkpoints sync what was written since the last one.
        # That costs 0.1 s; only who gives durability up anyway saves it.
        sync = () if self.durable else ("--no-sync",)
        identity = (f"--username={ROLE}", "--auth=trust", "--locale=C", "--encoding=UTF8")
        return (str(self.programs / "initdb"), "-D", str(draft), *identity, *sync)

    def _single_user(self, draft: Path) -> tuple[str, ...]:
        fsync = "on" if self.durable else "off"
        options = ("-c", "exit_on_error=on", "-c", f"fsync={fsync}")
        return (str(self.programs / "postgres"), "--single", "-D", str(draft), *options, "postgres")

    def _first_statements(self) -> str:
        """Write one statement a line; without a port, nobody can connect before the password is set."""
        statements = [f"CREATE DATABASE {DATABASE}"]
        if self.password is not None:
            statements.append(f"ALTER ROLE {ROLE} PASSWORD {_literal(self.password)}")
        return "".join(f"{statement}\n" for statement in statements)

    def _run(self, argv: tuple[str, ...], lock: int, stdin: str = "") -> None:
        program = Program(
            argv=argv,
            cwd=self.path.parent,
            log=self.log,
            stdin=stdin,
            stop_signal=signal.SIGINT,
            grace_seconds=GRACE_SECONDS,
            prefix=self.run_as.prefix,
            uid=self.run_as.uid,
            gid=self.run_as.gid,
        )
        process = GuardedProcess(program, lock)
        try:
            status = process.wait(CREATION_SECONDS)
        except BaseException:
            process.kill()
            raise
        if status:
            name = Path(argv[0]).name
            raise EmbeddedServerError(f"the database cannot be created: {name} failed, see {self.log}")

    def _write_access_rules(self) -> None:
        method = "trust" if self.password is None else "scram-sha-256"
        # In place: the file keeps the owner that the server needs.
        (self.path / "pg_hba.conf").write_text(f"host all all {HOST}/32 {method}\n")


def _literal(text: str) -> str:
    """Quote a text for SQL; statements in single-user mode end with their line, so nothing is written plainly."""
    return "E'" + "".join(f"\\U{ord(letter):08x}" for letter in text) + "'"


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
