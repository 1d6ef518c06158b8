"""What `scheduler up` tells the person at the terminal."""

import shutil
import sys
from pathlib import Path

from scheduler.entrypoints.cli.output import print_line
from scheduler.entrypoints.process import Backend
from scheduler.entrypoints.up import UpOptions, UpReporter

DEFAULT_PORT = "8081"


class TerminalReporter(UpReporter):
    """Prints lines."""

    def __init__(self, options: UpOptions) -> None:
        self._options = options

    def ready(self, address: str) -> None:
        """Say where the service is and how to use it."""
        prefix = "" if address.endswith(f":{DEFAULT_PORT}") else f"SCHEDULER_ADDRESS={address} "
        print_line(f"serving on {address}, {self._where()}; Ctrl-C stops")
        print_line(f"try: {prefix}{_program()} submit noop --payload '{{\"sleep_seconds\": 2}}' --watch")

    def restarted(self, name: str, exit_code: int, log: Path | None) -> None:
        """Say what happened and where to read more."""
        print_line(f"{name} ended with exit code {exit_code} and was started again" + (f", see {log}" if log else ""))

    def _where(self) -> str:
        if self._options.backend is Backend.MEMORY:
            return "data in memory, gone at the end"
        return f"data and logs in {self._options.data_dir}"


def _program() -> str:
    """Return what starts this program in a shell of the same directory, whose PATH may lack it."""
    started_as = Path(sys.argv[0])
    return str(started_as) if started_as.name == "scheduler" and not shutil.which("scheduler") else "scheduler"
