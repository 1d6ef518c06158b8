"""How places and entries are written in Redis, exact both ways."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TypeVar
from uuid import UUID

from scheduler.adapters.redis.keys import Keys
from scheduler.application.dto import QueueEntry
from scheduler.domain.ids import JobId
from scheduler.domain.priority import Priority

T = TypeVar("T")
Argument = str | int

CHUNK = 1000
"""Entries per call: a batch of ours fits, and Lua's unpack takes less than 8,000 values."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_EXACT = 2**53
"""Scores are doubles: whole numbers below this, which is the year 2255 in µs, are exact."""


def score_of(at: datetime) -> int:
    """Return the µs since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def place_of(score: bytes) -> datetime:
    """Return the time of a score as Redis prints it; a score that cannot be ours gives the nearest that could."""
    whole = int(max(-_EXACT, min(_EXACT, float(score))))
    return _EPOCH + timedelta(microseconds=whole)


def job_id_of(member: bytes) -> JobId:
    """Return the id of a member, which a script has found to be one."""
    return JobId(UUID(member.decode("ascii")))


def chunks(items: Sequence[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    """Cut into pieces of at most `size`."""
    return (items[start : start + size] for start in range(0, len(items), size))


def pack_entries(keys: Keys, entries: Sequence[QueueEntry]) -> tuple[Sequence[str], Sequence[Argument]]:
    """Return the queues' keys, and the count of each followed by all (score, member) pairs, as the scripts expect."""
    pairs = defaultdict[Priority, list[Argument]](list)
    for entry in entries:
        pairs[entry.priority].extend((score_of(entry.queued_at), str(entry.job_id)))
    counts = [len(of_queue) // 2 for of_queue in pairs.values()]
    return [keys.queue(priority) for priority in pairs], [*counts, *chain.from_iterable(pairs.values())]
