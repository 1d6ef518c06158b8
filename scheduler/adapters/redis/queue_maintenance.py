"""The reaper's side of the queues in Redis."""

from collections.abc import Sequence

from scheduler.adapters.redis.codec import chunks, job_id_of, pack_entries
from scheduler.adapters.redis.scan import PageScan, ScanPosition
from scheduler.adapters.redis.scripts import Script
from scheduler.adapters.redis.server import RedisServer
from scheduler.application.dto import QueueEntry
from scheduler.application.ports.queue_maintenance import QueueDepths, QueueMaintenance, ScannedPage
from scheduler.domain.ids import JobId
from scheduler.domain.priority import Priority


class RedisQueueMaintenance(QueueMaintenance):
    """Repairs, each one script that judges by the server's own clock."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._keys = server.keys
        self._overdue = Script.load("overdue")
        self._return_overdue = Script.load("return_overdue")
        self._enqueue_missing = Script.load("enqueue_missing")
        self._remove = Script.load("remove")
        self._depths = Script.load("depths")
        self._scan = PageScan(server)

    async def overdue(self, limit: int) -> Sequence[JobId]:
        """Read what has waited too long for its start."""
        members: list[bytes] = await self._server.run(self._overdue, [self._keys.processing], [limit])
        return [job_id_of(member) for member in members]

    async def return_overdue(self, back: Sequence[QueueEntry], gone: Sequence[JobId]) -> int:
        """Judge each id again in the script, for a worker may have acked it meanwhile."""
        returned = 0
        for chunk in chunks(back):
            returned += await self._return(chunk, ())
        for forgotten in chunks(gone):
            await self._return((), forgotten)
        return returned

    async def enqueue_missing(self, entries: Sequence[QueueEntry]) -> int:
        """Look into the queue and what is handed out, and add, in one step."""
        added = 0
        for chunk in chunks(entries):
            queues, args = pack_entries(self._keys, chunk)
            keys = [self._keys.processing, *queues]
            added += int(await self._server.run(self._enqueue_missing, keys, [self._keys.wake, *args]))
        return added

    async def scan(self, cursor: str | None, count: int) -> ScannedPage:
        """Walk on from the cursor; one that cannot be read begins anew."""
        return await self._scan.page(ScanPosition.parse(cursor), count)

    async def discard(self, entries: Sequence[tuple[Priority, JobId]]) -> int:
        """Remove queue by queue."""
        members: dict[Priority, list[str]] = {}
        for priority, job_id in entries:
            members.setdefault(priority, []).append(str(job_id))
        removed = 0
        for priority, of_queue in members.items():
            for chunk in chunks(of_queue):
                removed += int(await self._server.run(self._remove, [self._keys.queue(priority)], chunk))
        return removed

    async def depths(self) -> QueueDepths:
        """Count in one step."""
        sizes: list[int] = await self._server.run(self._depths, [*self._keys.queues, self._keys.processing])
        return QueueDepths(queues=dict(zip(Priority, sizes, strict=False)), processing=sizes[-1])

    async def _return(self, back: Sequence[QueueEntry], gone: Sequence[JobId]) -> int:
        queues, args = pack_entries(self._keys, back)
        ids = [str(job_id) for job_id in gone]
        keys = [self._keys.processing, *queues]
        return int(await self._server.run(self._return_overdue, keys, [self._keys.wake, *args, *ids]))
