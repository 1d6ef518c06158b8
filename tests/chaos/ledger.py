"""What handlers did, written outside SQL: one append-only file a process, one line an event, in the file at once.

Times are CLOCK_MONOTONIC, which all processes of a host share. A line is one write(2): kill -9 neither loses
nor tears one.
"""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

SUFFIX = ".ledger"


class Mark(StrEnum):
    STARTED = "STARTED"
    """The handler runs."""
    ENDED = "ENDED"
    """The handler returned or raised by itself; `detail` says how."""
    CANCELLED = "CANCELLED"
    """The handler was stopped and does nothing more."""
    RENEWED = "RENEWED"
    """The worker's lease was renewed by a request sent at `at`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    mark: Mark
    at: float
    pid: int
    worker_id: str
    job_id: str = ""
    fence: int = 0
    attempt: int = 0
    detail: str = ""

    @property
    def key(self) -> tuple[str, int]:
        """Name the attempt."""
        return (self.job_id, self.fence)


class Ledger:
    """This process's own file."""

    def __init__(self, directory: Path) -> None:
        path = directory / f"{os.getpid()}-{time.monotonic_ns()}{SUFFIX}"
        self._file = os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600)

    def write(self, entry: Entry) -> None:
        line = json.dumps(asdict(entry)).encode() + b"\n"
        written = os.write(self._file, line)
        assert written == len(line)


def read_ledgers(directory: Path) -> Sequence[Entry]:
    """Return all that any process wrote, in order of time."""
    entries = [
        Entry(**{**fields, "mark": Mark(fields["mark"])})
        for path in directory.glob(f"*{SUFFIX}")
        for fields in map(json.loads, path.read_text().splitlines())
    ]
    return sorted(entries, key=lambda entry: entry.at)
