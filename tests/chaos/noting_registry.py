"""The registry of workers, noting in the ledger for how long each renewal is good."""

import os
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from scheduler.application.dto import WorkerInfo
from scheduler.application.ports.worker_registry import WorkerRegistry
from scheduler.domain.ids import AttemptId, WorkerId
from tests.chaos.ledger import Entry, Ledger, Mark


class NotingRegistry(WorkerRegistry):
    """Passes everything on; `at` of a note is the moment before the request, `detail` the lease's length in seconds."""

    def __init__(self, following: WorkerRegistry, ledger: Ledger) -> None:
        self._following = following
        self._ledger = ledger

    async def register(self, worker: WorkerInfo, lease: timedelta) -> None:
        sent = time.monotonic()
        await self._following.register(worker, lease)
        self._note(worker.id, sent, lease)

    async def renew(self, worker_id: WorkerId, lease: timedelta) -> bool:
        sent = time.monotonic()
        renewed = await self._following.renew(worker_id, lease)
        if renewed:
            self._note(worker_id, sent, lease)
        return renewed

    async def held_attempts(self, worker_id: WorkerId) -> frozenset[AttemptId]:
        return await self._following.held_attempts(worker_id)

    async def close(self, worker_id: WorkerId) -> None:
        await self._following.close(worker_id)

    async def close_expired(self, expired_by: datetime) -> Sequence[WorkerId]:
        return await self._following.close_expired(expired_by)

    async def count_open(self) -> int:
        return await self._following.count_open()

    async def count_expired(self) -> int:
        return await self._following.count_expired()

    async def forget_closed(self, closed_before: timedelta) -> int:
        return await self._following.forget_closed(closed_before)

    def _note(self, worker_id: WorkerId, sent: float, lease: timedelta) -> None:
        detail = f"{lease.total_seconds():g}"
        self._ledger.write(Entry(mark=Mark.RENEWED, at=sent, pid=os.getpid(), worker_id=str(worker_id), detail=detail))
