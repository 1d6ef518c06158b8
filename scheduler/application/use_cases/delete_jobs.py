"""Forget ended jobs because someone says so."""

import asyncio
from collections.abc import Sequence

from scheduler.application.bulk import BulkChanges
from scheduler.application.dead_letters import BulkOrder, BulkOutcome, EndedFilter, FoundJob
from scheduler.application.ports.ended_jobs import EndedJobs
from scheduler.application.ports.job_repository import JobRepository


class DeleteJobs:
    """All that match go, with labels and history, before their retention ends; a job that moved meanwhile stays."""

    def __init__(self, *, repository: JobRepository, ended_jobs: EndedJobs, bulk: BulkChanges) -> None:
        self._repository = repository
        self._ended_jobs = ended_jobs
        self._bulk = bulk

    async def execute(self, job_filter: EndedFilter, order: BulkOrder, gone: asyncio.Event) -> BulkOutcome:
        """Delete within the caller's time, until `gone` is set. Raises StoreUnavailableError."""
        return await self._bulk.run(job_filter, order, self._delete, gone)

    async def _delete(self, found: Sequence[FoundJob]) -> int:
        jobs = await self._repository.load([each.id for each in found])
        doomed = [job for each in found if (job := jobs.get(each.id)) is not None and job.version == each.version]
        return await self._ended_jobs.delete(doomed)
