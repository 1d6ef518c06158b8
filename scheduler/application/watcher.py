"""One stream's view of one job."""

import asyncio

from scheduler.application.errors import JobNotFoundError
from scheduler.domain.errors import SchedulerError
from scheduler.domain.events import JobProgressed
from scheduler.domain.ids import JobId
from scheduler.domain.job import Job
from scheduler.domain.state import JobState


class Watcher:
    """Holds the newest state and progress, never a backlog: a slow reader skips what was between."""

    def __init__(self, job_id: JobId) -> None:
        self.job_id = job_id
        self._job: Job | None = None
        self._hint: JobProgressed | None = None
        self._error: SchedulerError | None = None
        self._news = asyncio.Event()

    @property
    def has_state(self) -> bool:
        """Tell whether the job was read at least once."""
        return self._job is not None

    def show(self, job: Job) -> None:
        """Offer a state; one that is no news after the last is ignored.

        A job of the same id that was created at another time is not the one that is watched: that was purged.
        """
        if self._job is not None and job.created_at != self._job.created_at:
            self.fail(JobNotFoundError(self.job_id))
            return
        if self._job is None or job.is_news_after(self._job):
            self._job = job
            self._news.set()
        self._apply_hint()

    def hear(self, event: JobProgressed) -> bool:
        """Take progress; False when it is of a version that must be read first."""
        self._hint = event
        self._apply_hint()
        return self._hint is None

    def _apply_hint(self) -> None:
        job, hint = self._job, self._hint
        if job is None or hint is None or job.version < hint.version:
            return
        self._hint = None
        # Only while the attempt of this fence runs: what an older one said is nothing to a newer version.
        if job.version == hint.version and job.state is JobState.RUNNING:
            self.show(job.with_progress(hint.progress))

    def fail(self, error: SchedulerError) -> None:
        """End the watch with an error."""
        self._error = error
        self._news.set()

    async def next(self) -> Job:
        """Wait for a newer state; raises what ended the watch, once."""
        await self._news.wait()
        self._news.clear()
        error, self._error = self._error, None
        if error is None and self._job is not None:
            return self._job
        try:
            raise error or JobNotFoundError(self.job_id)
        finally:
            # The error keeps its traceback, that this frame, and the frame would keep the error.
            del error
