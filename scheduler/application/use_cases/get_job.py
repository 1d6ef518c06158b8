"""Read one job."""

from scheduler.application.dto import JobDetails
from scheduler.application.errors import JobNotFoundError
from scheduler.application.ports.job_repository import JobRepository
from scheduler.domain.ids import JobId


class GetJob:
    """A job is read as committed, with its payload and result."""

    def __init__(self, *, repository: JobRepository) -> None:
        self._repository = repository

    async def execute(self, job_id: JobId) -> JobDetails:
        """Return the job; raises JobNotFoundError."""
        details = (await self._repository.load_details([job_id], strict=True)).get(job_id)
        if details is None:
            raise JobNotFoundError(job_id)
        return details
