"""The programs that check what lies in deploy/: from .venv, or from the system (scripts/install-tools)."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
TIMEOUT_SECONDS = 60


def tool(name: str) -> str:
    """Return the program's path; skip the test, saying so, where it is not installed."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (scripts/install-tools)")
    return found


def passes(command: Sequence[str | Path], cwd: Path = ROOT) -> str:
    """Run a check and return what it said; fail with that when it found something."""
    name, *arguments = map(str, command)
    run = subprocess.run(
        [tool(name), *arguments], cwd=cwd, check=False, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
    )
    said = run.stdout + run.stderr
    assert run.returncode == 0, said
    return said
