"""Read a job's history."""

from collections.abc import Sequence

from scheduler.application.errors import JobNotFoundError
from scheduler.application.ports.job_reader import JobReader
from scheduler.domain.attempt import Attempt
from scheduler.domain.ids import JobId


class ListAttempts:
    """The history holds every attempt that ever ran, and the one that runs now."""

    def __init__(self, *, reader: JobReader) -> None:
        self._reader = reader

    async def execute(self, job_id: JobId) -> Sequence[Attempt]:
        """Return the attempts, oldest first; raises JobNotFoundError."""
        attempts = await self._reader.attempts(job_id)
        if attempts is None:
            raise JobNotFoundError(job_id)
        return attempts
