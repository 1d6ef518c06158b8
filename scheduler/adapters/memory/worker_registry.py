"""The worker processes and their leases, in memory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from scheduler.adapters.memory.job_index import By
from scheduler.adapters.memory.store import MemoryStore, WorkerRow
from scheduler.application.dto import WorkerInfo
from scheduler.application.ports.worker_registry import WorkerRegistry
from scheduler.domain.ids import AttemptId, WorkerId


class MemoryWorkerRegistry(WorkerRegistry):
    """Keeps leases in a MemoryStore and judges them by its clock."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def register(self, worker: WorkerInfo, lease: timedelta) -> None:
        """Open the worker with a fresh lease; a repeat with the same id renews it, unless it was closed."""
        async with self._store.statement() as data:
            expires_at = self._store.clock.now() + lease
            row = data.workers.get(worker.id)
            closed_at = None if row is None else row.closed_at
            data.workers[worker.id] = WorkerRow(info=worker, lease_expires_at=expires_at, closed_at=closed_at)

    async def renew(self, worker_id: WorkerId, lease: timedelta) -> bool:
        """Extend the lease from the store's now; False when the worker is closed or unknown."""
        async with self._store.statement() as data:
            row = data.workers.get(worker_id)
            if row is None or row.closed_at is not None:
                return False
            data.workers[worker_id] = replace(row, lease_expires_at=self._store.clock.now() + lease)
            return True

    async def held_attempts(self, worker_id: WorkerId) -> frozenset[AttemptId]:
        """Return the attempts that are RUNNING under this worker."""
        async with self._store.statement() as data:
            held = data.index.group(By.WORKER, worker_id).ascending()
            return frozenset(job.attempt_id for job in data.jobs_at(job_id for _, job_id in held))

    async def close(self, worker_id: WorkerId) -> None:
        """Close the worker at the store's now; closing twice keeps the first time."""
        async with self._store.statement() as data:
            row = data.workers.get(worker_id)
            if row is not None and row.closed_at is None:
                data.workers[worker_id] = replace(row, closed_at=self._store.clock.now())

    async def close_expired(self, expired_by: datetime) -> Sequence[WorkerId]:
        """Close every open worker whose lease has expired, and had by `expired_by`; return those."""
        async with self._store.statement() as data:
            now = self._store.clock.now()
            until = min(now, expired_by)
            rows = [row for row in data.workers.values() if row.closed_at is None and row.lease_expires_at <= until]
            data.workers.update({row.info.id: replace(row, closed_at=now) for row in rows})
            return [row.info.id for row in rows]

    async def count_open(self) -> int:
        """Count workers that are open and whose lease has not expired."""
        async with self._store.statement() as data:
            now = self._store.clock.now()
            return sum(row.closed_at is None and row.lease_expires_at > now for row in data.workers.values())

    async def count_expired(self) -> int:
        """Count open workers whose lease has expired, and closed ones under which jobs are still RUNNING."""
        async with self._store.statement() as data:
            now = self._store.clock.now()
            return sum(
                row.lease_expires_at <= now if row.closed_at is None else data.holds_jobs(row.info.id)
                for row in data.workers.values()
            )

    async def forget_closed(self, closed_before: timedelta) -> int:
        """Delete workers closed longer ago than that and holding no RUNNING job; return how many."""
        async with self._store.statement() as data:
            until = self._store.clock.now() - closed_before
            old = (row.info.id for row in data.workers.values() if row.closed_at is not None and row.closed_at < until)
            doomed = [worker_id for worker_id in old if not data.holds_jobs(worker_id)]
            for worker_id in doomed:
                del data.workers[worker_id]
            return len(doomed)
