"""Attempts that the store holds for this worker and that run nowhere: starts whose reply never came."""

from datetime import timedelta

from scheduler.application.outcomes import AttemptResult, Released
from scheduler.application.ports.clock import Clock
from scheduler.application.ports.job_repository import JobRepository
from scheduler.application.use_cases.finish_jobs import FinishJobs
from scheduler.application.use_cases.start_jobs import StartJobs
from scheduler.application.worker.attempts import AttemptTable
from scheduler.domain.ids import AttemptId
from scheduler.domain.job import Job
from scheduler.domain.state import JobState

ORPHAN_AFTER = timedelta(seconds=15)
"""Longer than a start statement that was given up may still take to arrive."""


class ReleaseOrphans:
    """An attempt whose start was given up is released without consuming it, if the store shows it as RUNNING."""

    def __init__(
        self,
        *,
        repository: JobRepository,
        start_jobs: StartJobs,
        finish_jobs: FinishJobs,
        table: AttemptTable,
        clock: Clock,
    ) -> None:
        self._repository = repository
        self._start_jobs = start_jobs
        self._finish_jobs = finish_jobs
        self._table = table
        self._clock = clock

    async def execute(self, strangers: frozenset[AttemptId]) -> None:
        """Release those of `strangers`, attempts that the store holds for us, that are orphans."""
        if not strangers:
            return
        jobs = await self._repository.load([job_id for job_id, _ in strangers])
        orphans = [job for job in jobs.values() if job.attempt_id in strangers and self._is_orphan(job)]
        if orphans:
            now = self._clock.now()
            await self._finish_jobs.execute(
                [AttemptResult(job=job, outcome=Released(), ended_at=now, draw=0.0) for job in orphans]
            )

    def _is_orphan(self, job: Job) -> bool:
        if job.state is not JobState.RUNNING or job.attempt_id in self._table:
            return False
        if job.attempt_id in self._start_jobs.under_way:
            # However old: this loop, or the whole process, may have stood still since the statement was sent.
            return False
        return job.updated_at < self._clock.now() - ORPHAN_AFTER
