"""The command line as tests use it: called in this process, or as a program of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from typer.testing import CliRunner

from scheduler.entrypoints.cli.app import build

PROGRAM = [sys.executable, "-m", "scheduler.entrypoints.cli"]
# Whoever runs the tests may have told SIGINT to be ignored, which processes inherit.
_HEEDING_SIGINT = """
import signal
from scheduler.entrypoints.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""
INTERRUPTIBLE = [sys.executable, "-c", _HEEDING_SIGINT]
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command did."""

    code: int
    stdout: str
    stderr: str

    @property
    def lines(self) -> Sequence[str]:
        return self.stdout.splitlines()

    @property
    def documents(self) -> Sequence[dict[str, object]]:
        """Read each line as a JSON object."""
        return [_an_object(line) for line in self.lines]

    @property
    def document(self) -> dict[str, object]:
        """Read the one line as a JSON object."""
        (document,) = self.documents
        return document

    @property
    def error(self) -> dict[str, object]:
        """Read the one line on standard error as an error object."""
        error = _an_object(self.stderr)["error"]
        assert isinstance(error, dict)
        return error

    @property
    def error_line(self) -> str:
        """Return what was said on standard error, which must be one line and no traceback."""
        (line,) = self.stderr.splitlines()
        assert "Traceback" not in line
        return line


def _an_object(line: str) -> dict[str, object]:
    document = json.loads(line)
    assert isinstance(document, dict)
    return document


@dataclass(frozen=True, slots=True)
class Tool:
    """Calls client commands of the service at an address, in this process."""

    address: str

    def __call__(self, *arguments: str, stdin: bytes | None = None) -> Ran:
        result = CliRunner().invoke(
            build(), arguments, input=stdin, env={"SCHEDULER_ADDRESS": self.address}, prog_name="scheduler"
        )
        return Ran(result.exit_code, result.stdout, result.stderr)

    def submit(self, *arguments: str, stdin: bytes | None = None) -> str:
        """Submit a job; return its id."""
        job_id = self("submit", *arguments, "--json", stdin=stdin).document["job_id"]
        assert isinstance(job_id, str)
        return job_id


def run_program(*arguments: str, environment: Mapping[str, str] | None = None) -> Ran:
    """Run a command as a program of its own, to its end."""
    done = subprocess.run(
        [*PROGRAM, *arguments],
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)
