"""The priority queues, in memory."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from scheduler.adapters.memory.queue_state import MemoryQueueState, QueueData
from scheduler.application.dto import QueueEntry
from scheduler.application.ports.event_bus import EventBus
from scheduler.application.ports.job_queue import JobQueue
from scheduler.domain.events import WorkArrived
from scheduler.domain.ids import JobId
from scheduler.domain.priority import ClaimPlan, Priority


class MemoryJobQueue(JobQueue):
    """Hands out the entries of a MemoryQueueState; wakes idle workers through the bus."""

    def __init__(self, state: MemoryQueueState, bus: EventBus) -> None:
        self._state = state
        self._bus = bus

    async def enqueue_all(self, entries: Sequence[QueueEntry]) -> None:
        """Put entries in their queues unless they are there, and wake idle workers once."""
        async with self._state.command() as data:
            for entry in entries:
                data.enqueue(entry)
        await self._bus.publish([WorkArrived()])

    async def remove_all(self, ids: Sequence[JobId]) -> None:
        """Take the ids out of every queue and out of `processing`."""
        async with self._state.command() as data:
            data.forget(ids)
            for queue in data.queues.values():
                for job_id in ids:
                    queue.remove(job_id)

    async def claim(self, plan: ClaimPlan, hand_out: timedelta) -> Sequence[QueueEntry]:
        """Move what the plan asks for to `processing`, overdue after `hand_out`."""
        async with self._state.command() as data:
            deadline = self._state.clock.now() + hand_out
            claimed: list[QueueEntry] = []
            for priority, quota in plan.quotas:
                claimed += _hand_out(data, priority, min(quota, plan.limit - len(claimed)), deadline)
        return claimed

    async def ack(self, ids: Sequence[JobId]) -> None:
        """Forget handed-out ids."""
        async with self._state.command() as data:
            data.forget(ids)

    async def give_back(self, entries: Sequence[QueueEntry]) -> None:
        """Return entries that are still handed out to their places and wake idle workers once."""
        async with self._state.command() as data:
            back = [entry for entry in entries if data.processing.remove(entry.job_id)]
            for entry in back:
                data.enqueue(entry)
        if back:
            await self._bus.publish([WorkArrived()])


def _hand_out(data: QueueData, priority: Priority, count: int, deadline: datetime) -> list[QueueEntry]:
    handed_out: list[QueueEntry] = []
    while places := data.queues[priority].first(count - len(handed_out)):
        for queued_at, job_id in places:
            data.queues[priority].remove(job_id)
            # An id that is handed out already only leaves the queue: its holder decides, or the reaper when overdue.
            if data.processing.add(job_id, deadline):
                handed_out.append(QueueEntry(job_id=job_id, priority=priority, queued_at=queued_at))
    return handed_out
