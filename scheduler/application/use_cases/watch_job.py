"""Follow one job to its end."""

from collections.abc import AsyncGenerator

from scheduler.application.errors import UnknownVersionError
from scheduler.application.watch_hub import WatchHub
from scheduler.domain.ids import JobId
from scheduler.domain.job import Job


class WatchJob:
    """A watcher sees strictly increasing versions; some may be skipped, the newest never, a final one is the last.

    While a version runs it is shown again whenever its progress is news.
    """

    def __init__(self, *, hub: WatchHub) -> None:
        self._hub = hub

    async def execute(self, job_id: JobId, after_version: int | None = None) -> AsyncGenerator[Job]:
        """Yield the current state unless it is `after_version` itself without progress, then newer ones.

        Raises JobNotFoundError, UnknownVersionError, TooManyWatchersError, ServerStoppingError, StoreUnavailableError.
        """
        seen = after_version or 0
        with self._hub.watch(job_id) as watcher:
            job = await watcher.next()
            if seen > job.version:
                raise UnknownVersionError(job_id, seen, job.version)
            if seen < job.version or job.running_progress is not None:
                yield job
            while not job.is_final:
                job = await watcher.next()
                yield job
