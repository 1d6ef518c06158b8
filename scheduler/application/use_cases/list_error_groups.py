"""What jobs fail of."""

from scheduler.application.dead_letters import ErrorGroups
from scheduler.application.ports.ended_jobs import EndedJobs
from scheduler.domain.errors import InvalidFieldError

DEFAULT_GROUPS = 20
MAX_GROUPS = 100


class ListErrorGroups:
    """FAILED jobs and dead letters by the kind of their error, those last seen first; all counts are bounded."""

    def __init__(self, *, ended_jobs: EndedJobs) -> None:
        self._ended_jobs = ended_jobs

    async def execute(self, *, fingerprint: str | None, job_type: str | None, limit: int) -> ErrorGroups:
        """Return the groups; a `limit` of 0 means the default, one above the maximum means that."""
        if limit < 0:
            raise InvalidFieldError("limit", "must not be negative")
        bounded = min(limit or DEFAULT_GROUPS, MAX_GROUPS)
        return await self._ended_jobs.error_groups(fingerprint=fingerprint, job_type=job_type, limit=bounded)
