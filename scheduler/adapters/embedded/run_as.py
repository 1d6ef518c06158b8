"""Which user PostgreSQL runs as: it refuses root."""

import os
import pwd
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scheduler.adapters.embedded.errors import EmbeddedServerError
from scheduler.adapters.embedded.guarded_process import ENVIRONMENT

ROOT: Final = 0
NOBODY: Final = "nobody"
POSTGRES: Final = "postgres"
# Owner of data that earlier versions made in user namespaces.
OVERFLOW_ID: Final = 65534
# A folder that every Linux has, and whose contents no database server needs.
MOUNT_POINT: Final = Path("/run")
# Arguments: uid, gid, the two folders to be seen there, the program. Runs as root until it becomes the user.
ENTER_NAMESPACE: Final = f"""
user=$1 group=$2
mount -t tmpfs -o mode=0755,nosuid,nodev tmpfs {MOUNT_POINT}
cd {MOUNT_POINT}
mkdir programs data
mount --bind "$3" programs
mount --bind "$4" data
shift 4
cd /
exec setpriv --reuid="$user" --regid="$group" --clear-groups --no-new-privs -- "$@"
"""


@dataclass(frozen=True, slots=True)
class Command:
    """A program of PostgreSQL as it is started: `programs` and `folder` are where it sees them."""

    programs: Path
    folder: Path
    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None


@dataclass(frozen=True, slots=True)
class RunAs:
    """How a program is run without root's rights."""

    description: str
    uid: int | None = None
    gid: int | None = None
    has_namespace: bool = False
    """It sees programs and data below MOUNT_POINT, wherever they are, and their parents stay closed to its user."""

    @property
    def owner(self) -> int:
        """The user, as the file system sees it, whom the data must belong to."""
        return os.geteuid() if self.uid is None else self.uid

    def command(self, programs: Path, folder: Path) -> Command:
        """Say how a program of `programs` is started on the data in `folder`."""
        if not self.has_namespace:
            return Command(programs, folder, uid=self.uid, gid=self.gid)
        # Programs look for libraries and other files beside their wheel's folder.
        site = programs.parents[2]
        enter = ("unshare", "--mount", "--propagation=private", "sh", "-euc", ENTER_NAMESPACE, "sh")
        return Command(
            MOUNT_POINT / "programs" / programs.relative_to(site),
            MOUNT_POINT / "data",
            prefix=(*enter, str(self.uid), str(self.gid), str(site), str(folder)),
        )

    def require(self, programs: Path) -> None:
        """Raise EmbeddedServerError when the programs cannot be run so."""
        if not self.can_run(programs):
            raise EmbeddedServerError(
                f"{programs / POSTGRES} cannot be run {self.description}: "
                "install the package where every user may read it, or start as a normal user"
            )

    def can_run(self, programs: Path) -> bool:
        """Try to run PostgreSQL's programs."""
        command = self.command(programs, programs)
        return _succeeds(command, str(command.programs / POSTGRES), "--version")

    def open_path_to(self, folder: Path, *parents: Path) -> None:
        """Let the user through the folder and those parents to what is below.

        Raises EmbeddedServerError when another parent forbids it.
        """
        if self.uid is None or self.gid is None or self.has_namespace:
            return
        command = Command(folder, folder, uid=self.uid, gid=self.gid)
        for each in (*parents, folder):
            if not _succeeds(command, "test", "-x", str(each)):
                # The user's group alone: for other users the folder stays closed.
                os.chown(each, -1, self.gid)
                each.chmod(each.stat().st_mode | stat.S_IXGRP)
        if not _succeeds(command, "test", "-x", str(folder)):
            raise EmbeddedServerError(f"data directory {folder} cannot be reached {self.description}")

    def adopt(self, folder: Path) -> None:
        """Give the folder to the user, when it belongs to the other one that root may run servers as."""
        owner = folder.stat().st_uid
        if owner == self.owner:
            return
        if os.geteuid() != ROOT or owner not in {ROOT, OVERFLOW_ID, _nobody().pw_uid}:
            raise EmbeddedServerError(f"{folder} belongs to user {owner}: start as that user")
        for path in _below(folder):
            os.chown(path, self.owner, -1 if self.gid is None else self.gid, follow_symlinks=False)


def choose_run_as(programs: Path) -> RunAs:
    """Pick the way that leaves the most as it is and can run the programs."""
    if os.geteuid() != ROOT:
        return as_ourselves()
    namespace = in_mount_namespace()
    return namespace if namespace.can_run(programs) else as_nobody()


def as_ourselves() -> RunAs:
    """Change nothing: for every user but root."""
    return RunAs("as the current user")


def in_mount_namespace() -> RunAs:
    """Become nobody, in a mount namespace: root's private folders stay so. For root, where the kernel lets it."""
    nobody = _nobody()
    return RunAs(f"as user {NOBODY} in a mount namespace", uid=nobody.pw_uid, gid=nobody.pw_gid, has_namespace=True)


def as_nobody() -> RunAs:
    """Become nobody: for root in containers, which may not mount."""
    nobody = _nobody()
    return RunAs(f"as user {NOBODY}", uid=nobody.pw_uid, gid=nobody.pw_gid)


def _succeeds(command: Command, *program: str) -> bool:
    try:
        tried = subprocess.run(  # noqa: S603 - our own commands
            [*command.prefix, *program],
            env=ENVIRONMENT,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            user=command.uid,
            group=command.gid,
            extra_groups=None if command.uid is None else [],
        )
    except OSError:
        return False
    return tried.returncode == 0


def _nobody() -> pwd.struct_passwd:
    return pwd.getpwnam(NOBODY)


def _below(folder: Path) -> Iterator[Path]:
    yield folder
    yield from folder.rglob("*")
