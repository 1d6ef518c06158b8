"""The handlers that a worker would have."""

import subprocess
import sys
from collections.abc import Sequence

from scheduler.adapters.handlers.discovery import has_entry_points
from scheduler.entrypoints.settings import child_environment


def check_handlers(modules: Sequence[str]) -> int:
    """Let a process of its own load the handlers; it tells on standard error what is wrong. Return its exit code.

    Whoever starts workers asks first, for they would fail one after the other, and does not load users' code itself.
    """
    if not modules and not has_entry_points():
        return 0
    command = [sys.executable, "-P", "-m", "scheduler.entrypoints.cli", "handlers"]
    environment = child_environment(WORKER_HANDLERS=",".join(modules))
    done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False)  # noqa: S603 - our own program
    return done.returncode
