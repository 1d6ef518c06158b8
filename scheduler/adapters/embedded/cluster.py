"""A PostgreSQL cluster: the files of one server."""

import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from scheduler.adapters.embedded.errors import EmbeddedServerError
from scheduler.adapters.embedded.guarded_process import GuardedProcess, Program
from scheduler.adapters.embedded.ports import HOST
from scheduler.adapters.embedded.run_as import RunAs

SUPERUSER: Final = "postgres"
ROLE: Final = "scheduler"
DATABASE: Final = "scheduler"
ACCESS_RULES: Final = f"host all all {HOST}/32 scram-sha-256\n"
_OWN_TABLES: Final = (
    "DO $$DECLARE name TEXT; BEGIN FOR name IN SELECT oid::regclass FROM pg_class"
    " WHERE relowner = 10 AND relkind = 'r' AND relnamespace = 'public'::regnamespace"
    " LOOP EXECUTE 'ALTER TABLE ' || name || ' OWNER TO scheduler'; END LOOP; END$$"
)
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
    passwords: Mapping[str, str] = field(repr=False)
    """Of SUPERUSER and ROLE."""

    def prepare(self, lock: int) -> None:
        """Create the cluster unless there is one, and bring owner, roles and access rules up to date."""
        self.run_as.require(self.programs)
        if not self.path.exists():
            self._create(lock)
        self.run_as.adopt(self.path)
        # What the owner added below stays.
        if not self._rules.read_text().startswith(ACCESS_RULES):
            self._single_user(self.path, DATABASE, lock, self._role_statements())
            self._rules.write_text(ACCESS_RULES)

    @property
    def _rules(self) -> Path:
        return access_rules(self.path)

    def _create(self, lock: int) -> None:
        """Make the files beside their final place, so that a creation killed half-way never counts as done."""
        draft = self.path.with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        self.run_as.adopt(draft)
        self._initdb(draft, lock)
        statements = [f"CREATE DATABASE {DATABASE}", *self._role_statements()]
        self._single_user(draft, "postgres", lock, statements)
        access_rules(draft).write_text(ACCESS_RULES)
        draft.rename(self.path)
        if self.durable:
            _sync_directory(self.path.parent)

    def _initdb(self, draft: Path, lock: int) -> None:
        # initdb syncs what it wrote, and nothing later would: checkpoints sync what was written since the last one.
        # That costs 0.1 s; only who gives durability up anyway saves it.
        sync = () if self.durable else ("--no-sync",)
        # Single-user mode asks for no password, and nobody connects before the access rules are replaced.
        identity = (f"--username={SUPERUSER}", "--auth=reject", "--locale=C", "--encoding=UTF8")
        self._run("initdb", draft, (*identity, *sync), lock)

    def _single_user(self, folder: Path, database: str, lock: int, statements: Sequence[str]) -> None:
        """Run statements, one a line, where nobody can connect; the first that fails ends it."""
        fsync = "on" if self.durable else "off"
        options = ("-c", "exit_on_error=on", "-c", f"fsync={fsync}", database)
        self._run("postgres", folder, options, lock, "".join(f"{statement}\n" for statement in statements))

    def _role_statements(self) -> Sequence[str]:
        """Make, or make again, a role that owns database and tables, and set both passwords.

        In clusters of earlier versions the superuser bears the role's name, and owns the tables.
        """
        return (
            "UPDATE pg_authid SET rolname = 'postgres' WHERE oid = 10 AND rolname <> 'postgres'",
            f"DO $$BEGIN IF to_regrole('{ROLE}') IS NULL THEN CREATE ROLE {ROLE}; END IF; END$$",
            f"ALTER ROLE {ROLE} LOGIN PASSWORD '{self.passwords[ROLE]}'",
            f"ALTER ROLE {SUPERUSER} PASSWORD '{self.passwords[SUPERUSER]}'",
            f"ALTER DATABASE {DATABASE} OWNER TO {ROLE}",
            _OWN_TABLES,
        )

    def _run(self, program: str, folder: Path, options: Sequence[str], lock: int, stdin: str = "") -> None:
        command = self.run_as.command(self.programs, folder)
        first = ("--single",) if program == "postgres" else ()
        process = GuardedProcess(
            Program(
                argv=(str(command.programs / program), *first, "-D", str(command.folder), *options),
                cwd=self.path.parent,
                log=self.log,
                stdin=stdin,
                stop_signal=signal.SIGINT,
                grace_seconds=GRACE_SECONDS,
                prefix=command.prefix,
                uid=command.uid,
                gid=command.gid,
            ),
            lock,
        )
        try:
            status = process.wait(CREATION_SECONDS)
        except BaseException:
            process.kill()
            raise
        if status:
            raise EmbeddedServerError(f"the database cannot be prepared: {program} failed, see {self.log}")


def access_rules(cluster: Path) -> Path:
    """Name the file that says who may connect; an empty one lets nobody in."""
    return cluster / "pg_hba.conf"


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
