"""All that would be in Redis, held by this process."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice, takewhile
from threading import Lock

from scheduler.adapters.memory.time_index import Place, TimeIndex
from scheduler.application.dto import QueueEntry
from scheduler.application.ports.clock import Clock
from scheduler.domain.ids import JobId
from scheduler.domain.priority import Priority


class Scores:
    """Ids, each with a time, in order: a sorted set as Redis has it."""

    def __init__(self) -> None:
        self._scores: dict[JobId, datetime] = {}
        self._order = TimeIndex()

    def __len__(self) -> int:
        return len(self._scores)

    def __contains__(self, job_id: JobId) -> bool:
        return job_id in self._scores

    def add(self, job_id: JobId, at: datetime) -> bool:
        """Add an id unless it is there; tell whether it was missing."""
        if job_id in self._scores:
            return False
        self._scores[job_id] = at
        self._order.add((at, job_id))
        return True

    def remove(self, job_id: JobId) -> bool:
        """Remove an id; tell whether it was there."""
        at = self._scores.pop(job_id, None)
        if at is None:
            return False
        self._order.remove((at, job_id))
        return True

    def first(self, count: int, after: Place | None = None) -> list[Place]:
        """Return up to `count` places, the earliest first, behind `after`."""
        return list(islice(self._order.ascending(after), count))

    def until(self, at: datetime) -> Iterator[JobId]:
        """Yield the ids with times up to `at`, the earliest first."""
        return (job_id for _, job_id in takewhile(lambda place: place[0] <= at, self._order.ascending()))

    def is_until(self, job_id: JobId, at: datetime) -> bool:
        """Tell whether the id is there with a time up to `at`."""
        return job_id in self._scores and self._scores[job_id] <= at


@dataclass(slots=True)
class QueueData:
    """The queues; only to be touched inside `MemoryQueueState.command`."""

    queues: dict[Priority, Scores] = field(default_factory=lambda: {priority: Scores() for priority in Priority})
    processing: Scores = field(default_factory=Scores)
    """By hand-out deadline."""
    epoch: str = ""

    def enqueue(self, entry: QueueEntry) -> bool:
        """Put an entry in its queue unless it is there; tell whether it was missing."""
        return self.queues[entry.priority].add(entry.job_id, entry.queued_at)

    def forget(self, ids: Collection[JobId]) -> None:
        """Take handed-out ids out of `processing`."""
        for job_id in ids:
            self.processing.remove(job_id)


class MemoryQueueState:
    """One queue server for all ports that would speak to Redis; any thread and any event loop may use it.

    `clock` is the queue's own: it judges hand-out deadlines.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._data = QueueData()
        self._lock = Lock()

    @asynccontextmanager
    async def command(self) -> AsyncIterator[QueueData]:
        """Let others run first, as a round trip would, then give the data to the caller alone. Never await inside."""
        await asyncio.sleep(0)
        with self._lock:
            yield self._data

    def lose_everything(self) -> None:
        """Forget all data, as FLUSHALL or a restart without persistence would."""
        with self._lock:
            self._data = QueueData()
