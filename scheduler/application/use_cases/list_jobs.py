"""Page through jobs."""

from scheduler.application.dto import JobFilter, JobPage, ListCursor
from scheduler.application.ports.job_reader import JobReader
from scheduler.domain.errors import InvalidFieldError

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000


class ListJobs:
    """Jobs come newest first; a page's size is bounded, never its depth."""

    def __init__(self, *, reader: JobReader) -> None:
        self._reader = reader

    async def execute(self, job_filter: JobFilter, *, page_size: int, after: ListCursor | None) -> JobPage:
        """Return a page; a `page_size` of 0 means the default, one above the maximum means that."""
        if page_size < 0:
            raise InvalidFieldError("page_size", "must not be negative")
        limit = min(page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
        return await self._reader.list_jobs(job_filter, limit=limit, after=after)
