"""The reaper's side of the queue, in memory."""

from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from uuid import UUID

from scheduler.adapters.memory.queue_state import MemoryQueueState, QueueData
from scheduler.adapters.memory.time_index import Place
from scheduler.application.dto import QueueEntry
from scheduler.application.ports.event_bus import EventBus
from scheduler.application.ports.queue_maintenance import QueueDepths, QueueMaintenance, ScannedPage
from scheduler.domain.events import WorkArrived
from scheduler.domain.ids import JobId
from scheduler.domain.priority import Priority

_SEPARATOR = "|"


class MemoryQueueMaintenance(QueueMaintenance):
    """Repairs a MemoryQueueState, in which nothing can be junk."""

    def __init__(self, state: MemoryQueueState, bus: EventBus) -> None:
        self._state = state
        self._bus = bus

    async def overdue(self, limit: int) -> Sequence[JobId]:
        """Return ids that were handed out and are overdue, the longest overdue first."""
        async with self._state.command() as data:
            return list(islice(data.processing.until(self._state.clock.now()), limit))

    async def return_overdue(self, back: Sequence[QueueEntry], gone: Sequence[JobId]) -> int:
        """Put `back` in their places and forget `gone`, each only if it is still overdue."""
        async with self._state.command() as data:
            now = self._state.clock.now()
            returned = [entry for entry in back if data.processing.is_until(entry.job_id, now)]
            data.forget([entry.job_id for entry in returned])
            data.forget([job_id for job_id in gone if data.processing.is_until(job_id, now)])
            for entry in returned:
                data.enqueue(entry)
        await self._wake(len(returned))
        return len(returned)

    async def enqueue_missing(self, entries: Sequence[QueueEntry]) -> int:
        """Add entries that are neither in their queue nor handed out; return how many were missing."""
        async with self._state.command() as data:
            added = sum(entry.job_id not in data.processing and data.enqueue(entry) for entry in entries)
        await self._wake(added)
        return added

    async def scan(self, cursor: str | None, count: int) -> ScannedPage:
        """Return up to `count` members of the queues behind the cursor."""
        async with self._state.command() as data:
            places = _behind(data, cursor, count + 1)
        entries = [(priority, job_id) for priority, (_, job_id) in places[:count]]
        return ScannedPage(entries=entries, junk=0, next=_cursor(*places[count - 1]) if len(places) > count else None)

    async def discard(self, entries: Sequence[tuple[Priority, JobId]]) -> int:
        """Take these members out of just that queue; return how many were there."""
        async with self._state.command() as data:
            return sum(data.queues[priority].remove(job_id) for priority, job_id in entries)

    async def depths(self) -> QueueDepths:
        """Count the entries."""
        async with self._state.command() as data:
            queues = {priority: len(queue) for priority, queue in data.queues.items()}
            return QueueDepths(queues=queues, processing=len(data.processing))

    async def _wake(self, arrived: int) -> None:
        if arrived:
            await self._bus.publish([WorkArrived()])


def _behind(data: QueueData, cursor: str | None, count: int) -> list[tuple[Priority, Place]]:
    begin, after = _parse(cursor)
    found: list[tuple[Priority, Place]] = []
    for priority in list(Priority)[list(Priority).index(begin) :]:
        places = data.queues[priority].first(count - len(found), after if priority is begin else None)
        found.extend((priority, place) for place in places)
    return found


def _cursor(priority: Priority, place: Place) -> str:
    queued_at, job_id = place
    return _SEPARATOR.join((priority, queued_at.isoformat(), str(job_id)))


def _parse(cursor: str | None) -> tuple[Priority, Place | None]:
    if cursor is None:
        return next(iter(Priority)), None
    priority, queued_at, job_id = cursor.split(_SEPARATOR)
    return Priority(priority), (datetime.fromisoformat(queued_at), JobId(UUID(job_id)))
