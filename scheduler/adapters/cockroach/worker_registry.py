"""The worker processes and their leases, in SQL."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from scheduler.adapters.cockroach.transaction import Transactions
from scheduler.application.dto import WorkerInfo
from scheduler.application.ports.worker_registry import WorkerRegistry
from scheduler.domain.ids import AttemptId, WorkerId


class SqlWorkerRegistry(WorkerRegistry):
    """Keeps leases, which only the database's clock judges."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def register(self, worker: WorkerInfo, lease: timedelta) -> None:
        """Open the worker with a fresh lease; a repeat with the same id renews it, unless it was closed."""
        await self._transactions.run(
            "register_worker",
            id=worker.id,
            host=worker.host,
            pid=worker.pid,
            version=worker.version,
            slots=worker.slots,
            handlers=json.dumps(list(worker.handlers)),
            lease=lease.total_seconds(),
        )

    async def renew(self, worker_id: WorkerId, lease: timedelta) -> bool:
        """Extend the lease from the database's now; False when the worker is closed or unknown."""
        return bool(await self._transactions.run("renew_worker", id=worker_id, lease=lease.total_seconds()))

    async def held_attempts(self, worker_id: WorkerId) -> frozenset[AttemptId]:
        """Return the attempts that are RUNNING under this worker."""
        rows = await self._transactions.run("held_attempts", worker_id=worker_id)
        return frozenset([AttemptId(job_id, fence) for job_id, fence in rows])

    async def close(self, worker_id: WorkerId) -> None:
        """Close the worker at the database's now; closing twice keeps the first time."""
        await self._transactions.run("close_worker", id=worker_id)

    async def close_expired(self, expired_by: datetime) -> Sequence[WorkerId]:
        """Close every open worker whose lease has expired, and had by `expired_by`; return those."""
        return [row[0] for row in await self._transactions.run("close_expired_workers", expired_by=expired_by)]

    async def count_open(self) -> int:
        """Count workers that are open and whose lease has not expired."""
        [[count]] = await self._transactions.run("count_open_workers")
        return int(count)

    async def count_expired(self) -> int:
        """Count open workers whose lease has expired, and closed ones under which jobs are still RUNNING."""
        [[count]] = await self._transactions.run("count_expired_workers")
        return int(count)

    async def forget_closed(self, closed_before: timedelta) -> int:
        """Delete workers closed longer ago than that and holding no RUNNING job; return how many."""
        return len(await self._transactions.run("forget_closed_workers", before=closed_before.total_seconds()))
