"""The image without an engine: its files, made by its own steps, and its limits, made by the kernel."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deploy.tools import ROOT, TIMEOUT_SECONDS, tool

UID = 10001
# A root that cannot be written, one folder that can, and a user without any right.
_ENTER = f"""
set -eu
mount --make-rprivate /
mount -o remount,bind,ro /
mount -t tmpfs tmpfs "$1"
shift
cd /
exec unshare --user --map-user={UID} --map-group={UID} -- "$@"
"""
_NAMESPACES = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _ENTER, "sh"]


@dataclass(frozen=True, slots=True)
class Image:
    """What the build left, and where its processes may write."""

    venv: Path
    scratch: Path

    def run(self, *command: str, environment: Mapping[str, str]) -> str:
        """Run a command to its end; return what it said, and fail with that unless it succeeds."""
        done = subprocess.run(
            self._contained(*command),
            env=self._environment(environment),
            check=False,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, said
        return said

    @contextmanager
    def running(self, *command: str, environment: Mapping[str, str]) -> Iterator[None]:
        """Run `scheduler <command>`; stop it as an engine does, and expect a clean end."""
        process = subprocess.Popen(
            self._contained("scheduler", *command), env=self._environment(environment), stdin=subprocess.DEVNULL
        )
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(TIMEOUT_SECONDS) == 0

    def _contained(self, *command: str) -> list[str]:
        return [*_NAMESPACES, str(self.scratch), *command]

    def _environment(self, given: Mapping[str, str]) -> Mapping[str, str]:
        return {"PATH": f"{self.venv}/bin:{os.defpath}", "TMPDIR": str(self.scratch), **given}


def build_image(folder: Path) -> Image:
    """Do what the Dockerfile does, from the files that .dockerignore lets in."""
    context, image = folder / "context", Image(folder / "venv", folder / "scratch")
    _copy_context(context)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHON": sys.executable}
    subprocess.run(["scripts/install-runtime", str(image.venv)], cwd=context, env=environment, check=True)
    image.scratch.mkdir()
    return image


def require_namespaces() -> None:
    """Skip the test, saying so, where the kernel does not give an ordinary user namespaces."""
    tried = subprocess.run([tool("unshare"), *_NAMESPACES[1:4], "true"], check=False, capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"no user namespaces here: {tried.stderr.strip()}")


def _copy_context(context: Path) -> None:
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line.startswith("!"):
            source, target = ROOT / line[1:], context / line[1:]
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
