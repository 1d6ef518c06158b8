"""What happened, in order, for whoever must understand a run; and its digest, which tells two runs apart."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from hashlib import sha256
from uuid import UUID

from scheduler.domain.ids import AttemptId
from scheduler.domain.job import Job

Entry = tuple[float, str, str, tuple[object, ...]]


class Trace:
    """An append-only list of events; they are put into words only when somebody reads them."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._entries: list[Entry] = []

    def note(self, who: str, what: str, *details: object) -> None:
        """Remember an event; the details must never change."""
        self._entries.append((self._now(), who, what, details))

    def lines(self) -> Iterator[str]:
        """Put every event into a line."""
        for at, who, what, details in self._entries:
            yield f"{at:9.4f}  {who:<12} {what:<28} {' '.join(map(words, details))}".rstrip()

    def digest(self) -> str:
        """Return a hash of all lines."""
        total = sha256()
        for line in self.lines():
            total.update(line.encode() + b"\n")
        return total.hexdigest()


def words(value: object) -> str:
    """Say briefly what a value is, the same in every process."""
    match value:
        case Job():
            said = f"{value.id.hex[:6]}:{value.state}:v{value.version}:a{value.attempts}"
        case AttemptId():
            said = f"{value.job_id.hex[:6]}@{value.fence}"
        case UUID():
            said = value.hex[:6]
        case str() | Enum():
            said = str(value)
        case datetime():
            said = value.strftime("%H:%M:%S.%f")[:-3]
        case timedelta():
            said = f"{value.total_seconds():g}s"
        case BaseException():
            said = f"{type(value).__name__}({value})"
        case _:
            said = _words_of_many(value)
    return said


def _words_of_many(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(words(item) for item in value.values()) + "}"
    if isinstance(value, AbstractSet):
        return "{" + ", ".join(sorted(map(words, value))) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(words, value)) + "]"
    if is_dataclass(value):
        shown = (getattr(value, field.name) for field in fields(value))
        return f"{type(value).__name__}({', '.join(words(item) for item in shown if item not in (None, '', ()))})"
    return repr(value) if value is None or isinstance(value, int | float) else type(value).__name__
