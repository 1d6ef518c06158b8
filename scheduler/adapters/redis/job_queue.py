"""The priority queues in Redis."""

from collections.abc import Sequence
from datetime import timedelta

from scheduler.adapters.redis.codec import chunks, job_id_of, pack_entries, place_of
from scheduler.adapters.redis.scripts import Script
from scheduler.adapters.redis.server import RedisServer
from scheduler.application.dto import QueueEntry
from scheduler.application.ports.job_queue import JobQueue
from scheduler.domain.ids import JobId
from scheduler.domain.priority import ClaimPlan

_MILLISECOND = timedelta(milliseconds=1)


class RedisJobQueue(JobQueue):
    """Sorted sets: one for each priority, and one of what is handed out. Each call is one script."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._keys = server.keys
        self._enqueue = Script.load("enqueue")
        self._claim = Script.load("claim")
        self._remove = Script.load("remove")
        self._give_back = Script.load("give_back")

    async def enqueue_all(self, entries: Sequence[QueueEntry]) -> None:
        """Add what is not there yet."""
        for chunk in chunks(entries):
            queues, args = pack_entries(self._keys, chunk)
            is_last = chunk[-1] is entries[-1]
            await self._server.run(self._enqueue, queues, [self._keys.wake if is_last else "", *args])

    async def remove_all(self, ids: Sequence[JobId]) -> None:
        """Remove from all keys at once."""
        await self._remove_from([*self._keys.queues, self._keys.processing], ids)

    async def claim(self, plan: ClaimPlan, hand_out: timedelta) -> Sequence[QueueEntry]:
        """Pop the lowest scores; what is handed out already is not handed out again."""
        queues = [self._keys.queue(priority) for priority, _ in plan.quotas]
        quotas = [quota for _, quota in plan.quotas]
        args = [plan.limit, hand_out // _MILLISECOND, *quotas]
        reply: list[bytes] = await self._server.run(self._claim, [self._keys.processing, *queues], args)
        return [
            QueueEntry(job_id=job_id_of(member), priority=plan.quotas[int(step) - 1][0], queued_at=place_of(score))
            for step, member, score in zip(reply[::3], reply[1::3], reply[2::3], strict=True)
        ]

    async def ack(self, ids: Sequence[JobId]) -> None:
        """Remove from what is handed out."""
        await self._remove_from([self._keys.processing], ids)

    async def give_back(self, entries: Sequence[QueueEntry]) -> None:
        """Move back what is handed out still; the rest was cancelled or returned meanwhile."""
        for chunk in chunks(entries):
            queues, args = pack_entries(self._keys, chunk)
            await self._server.run(self._give_back, [self._keys.processing, *queues], [self._keys.wake, *args])

    async def _remove_from(self, keys: Sequence[str], ids: Sequence[JobId]) -> None:
        for chunk in chunks(ids):
            await self._server.run(self._remove, keys, [str(job_id) for job_id in chunk])
