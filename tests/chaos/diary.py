"""What was done to the fleet and what it did by itself, with times on the clock of the ledger."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Did(StrEnum):
    STARTED = "started"
    KILLED = "killed"
    PAUSED = "paused"
    RESUMED = "resumed"
    ASKED_TO_STOP = "asked to stop"
    STOPPED = "stopped"
    NOT_STARTED = "could not start"
    ENDED = "ended by itself"
    FAULT = "fault"
    HEALED = "healed"
    NOTED = "noted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    at: float
    did: Did
    whom: str
    pid: int = 0
    detail: str = ""


class Diary:
    """Any thread may write; each line is in the file at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._happenings: list[Happening] = []
        self.began = time.monotonic()

    def note(self, did: Did, whom: str, *, pid: int = 0, detail: str = "") -> None:
        happening = Happening(at=time.monotonic(), did=did, whom=whom, pid=pid, detail=detail)
        with self._lock:
            self._happenings.append(happening)
            with self._path.open("a") as file:
                file.write(self.line(happening) + "\n")

    def line(self, happening: Happening) -> str:
        """Write it for people: seconds since the beginning, who, what."""
        pid = f" [{happening.pid}]" if happening.pid else ""
        text = f"{happening.at - self.began:9.3f}  {happening.whom}{pid} {happening.did} {happening.detail}"
        return text.rstrip()

    @property
    def happenings(self) -> Sequence[Happening]:
        with self._lock:
            return tuple(self._happenings)
