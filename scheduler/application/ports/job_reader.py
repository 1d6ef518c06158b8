"""What clients read of jobs."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

from scheduler.application.dto import JobFilter, JobPage, ListCursor, QueueStats
from scheduler.domain.attempt import Attempt
from scheduler.domain.ids import JobId


class JobReader(Protocol):
    """Reads committed state. Raises StoreUnavailableError when the store does not answer."""

    @abstractmethod
    async def list_jobs(self, job_filter: JobFilter, *, limit: int, after: ListCursor | None) -> JobPage:
        """Return up to `limit` matching jobs, newest first by (created_at, id), strictly older than `after`."""

    @abstractmethod
    async def attempts(self, job_id: JobId) -> Sequence[Attempt] | None:
        """Return the job's HISTORY_CAP newest ended attempts by fence, and the running one; None for an unknown job."""

    @abstractmethod
    async def queue_stats(self) -> QueueStats:
        """Count jobs per state and queue, each count capped at COUNT_CAP."""
