"""All that would be in SQL, held by this process: gone when it ends."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from uuid import UUID

from scheduler.adapters.memory.job_index import By, JobIndex
from scheduler.application.dto import WorkerInfo
from scheduler.application.ports.clock import Clock
from scheduler.domain.attempt import Attempt
from scheduler.domain.ids import Fence, JobId, OpId, WorkerId
from scheduler.domain.job import Job
from scheduler.domain.trace import TraceContext


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """A job with what travels beside it."""

    job: Job
    payload: str | None
    result: str | None = None
    created_op_id: OpId
    trace: TraceContext | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """A registered worker and its lease."""

    info: WorkerInfo
    lease_expires_at: datetime
    closed_at: datetime | None = None


@dataclass(slots=True)
class MemoryData:
    """Rows and their indexes; only to be touched inside `MemoryStore.statement`."""

    jobs: dict[JobId, JobRow] = field(default_factory=dict)
    keys: dict[str, JobId] = field(default_factory=dict)
    history: dict[JobId, dict[Fence, Attempt]] = field(default_factory=dict)
    workers: dict[WorkerId, WorkerRow] = field(default_factory=dict)
    index: JobIndex = field(default_factory=JobIndex)

    def put(self, row: JobRow) -> None:
        """Store a job's row in place of its former one."""
        before = self.jobs.get(row.job.id)
        self.index.replace(before.job if before else None, row.job)
        self.jobs[row.job.id] = row
        if row.job.idempotency_key is not None:
            self.keys[row.job.idempotency_key] = row.job.id

    def delete(self, job_id: JobId) -> None:
        """Forget a job, its key and its history."""
        job = self.jobs.pop(job_id).job
        self.index.replace(job, None)
        self.history.pop(job_id, None)
        if job.idempotency_key is not None:
            del self.keys[job.idempotency_key]

    def jobs_at(self, ids: Iterable[JobId]) -> Iterator[Job]:
        """Yield the jobs with these ids, all of which exist."""
        return (self.jobs[job_id].job for job_id in ids)

    def holders(self) -> Iterator[WorkerId]:
        """Yield the workers that hold RUNNING jobs, registered or not."""
        return (WorkerId(key) for key in self.index.keys(By.WORKER) if isinstance(key, UUID))

    def holds_jobs(self, worker_id: WorkerId) -> bool:
        """Tell whether a job is RUNNING under this worker."""
        return len(self.index.group(By.WORKER, worker_id)) > 0


class MemoryStore:
    """One store for all ports that would speak SQL; any thread and any event loop may use it.

    `clock` is the store's own: it judges leases as the database's now() would.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._data = MemoryData()
        self._lock = Lock()

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[MemoryData]:
        """Let others run first, as a round trip would, then give the data to the caller alone. Never await inside."""
        await asyncio.sleep(0)
        with self._lock:
            yield self._data
