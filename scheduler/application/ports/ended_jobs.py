"""What the desk for ended jobs needs of the store."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

from scheduler.application.dead_letters import EndedCursor, EndedFilter, EndedPage, ErrorGroups
from scheduler.domain.job import Job


class EndedJobs(Protocol):
    """Finds ended jobs by how they ended, in bounded steps. Raises StoreUnavailableError."""

    @abstractmethod
    async def scan(self, job_filter: EndedFilter, *, after: EndedCursor | None) -> EndedPage:
        """Look at some thousands of jobs behind `after` by (finished_at, id); return those that match.

        A filter that takes SUCCEEDED jobs, of which there may be any number, is walked by (created_at, id) instead.
        """

    @abstractmethod
    async def error_groups(self, *, fingerprint: str | None, job_type: str | None, limit: int) -> ErrorGroups:
        """Return up to `limit` kinds of errors, those last seen first: of all, that one, or those of a type.

        Each is counted up to COUNT_CAP, or to the kind's share of COUNTED_IN_ALL where that is less.
        """

    @abstractmethod
    async def delete(self, jobs: Sequence[Job]) -> int:
        """Delete those that no write has changed since they were read, with labels and history; return how many.

        Atomic; a repeat deletes and counts none.
        """
