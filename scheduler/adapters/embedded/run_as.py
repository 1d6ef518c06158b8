"""Which user PostgreSQL runs as: it refuses root."""

import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scheduler.adapters.embedded.errors import EmbeddedServerError
from scheduler.adapters.embedded.guarded_process import ENVIRONMENT, SEARCH_PATH

ROOT: Final = 0
NOBODY: Final = "nobody"
# The usual id of nobody, and what a user namespace shows for ids that it does not map.
OVERFLOW_ID: Final = 65534


@dataclass(frozen=True, slots=True)
class RunAs:
    """How a program is run without root's rights."""

    description: str
    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None

    @property
    def owner(self) -> int:
        """The user, as the file system sees it, whom the data must belong to."""
        return os.geteuid() if self.uid is None else self.uid

    def require(self, program: Path) -> None:
        """Raise EmbeddedServerError when the program cannot be run so."""
        if not self.can_run(str(program), "--version"):
            raise EmbeddedServerError(
                f"{program} cannot be run {self.description}: "
                "install the package where every user may read it, or start as a normal user"
            )

    def open_path_to(self, folder: Path) -> None:
        """Let the user reach what is below the folder; raises EmbeddedServerError when a parent forbids it."""
        if self.uid is not None:
            folder.chmod(folder.stat().st_mode | stat.S_IXGRP | stat.S_IXOTH)
        if not self.can_run("test", "-x", str(folder)):
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

    def can_run(self, *command: str) -> bool:
        """Try a harmless command."""
        try:
            tried = subprocess.run(  # noqa: S603 - our own commands
                [*self.prefix, *command],
                env=ENVIRONMENT,
                cwd="/",
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                user=self.uid,
                group=self.gid,
                extra_groups=None if self.uid is None else [],
            )
        except OSError:
            return False
        return tried.returncode == 0


def choose_run_as(program: Path) -> RunAs:
    """Pick the way that leaves the most as it is and can run the program."""
    if os.geteuid() != ROOT:
        return as_ourselves()
    namespace = in_user_namespace()
    return namespace if namespace.can_run(str(program), "--version") else as_nobody()


def as_ourselves() -> RunAs:
    """Change nothing: for every user but root."""
    return RunAs("as the current user")


def in_user_namespace() -> RunAs:
    """Look like nobody to ourselves, while the files stay root's: for root, where the kernel lets it."""
    unshare = shutil.which("unshare", path=SEARCH_PATH) or "unshare"
    identity = (f"--map-user={OVERFLOW_ID}", f"--map-group={OVERFLOW_ID}")
    return RunAs("in a user namespace", prefix=(unshare, "--user", *identity, "--"))


def as_nobody() -> RunAs:
    """Become nobody: for root, where user namespaces are closed."""
    nobody = _nobody()
    return RunAs(f"as user {NOBODY}", uid=nobody.pw_uid, gid=nobody.pw_gid)


def _nobody() -> pwd.struct_passwd:
    return pwd.getpwnam(NOBODY)


def _below(folder: Path) -> Iterator[Path]:
    yield folder
    yield from folder.rglob("*")
