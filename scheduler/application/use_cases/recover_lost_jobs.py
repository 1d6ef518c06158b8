"""Take jobs back from workers that are gone."""

from collections.abc import Sequence
from datetime import timedelta

from scheduler.application.best_effort import BestEffortQueue
from scheduler.application.ports.clock import Clock
from scheduler.application.ports.job_repository import JobRepository
from scheduler.application.ports.job_sweeper import JobSweeper
from scheduler.application.ports.telemetry import ReaperTelemetry
from scheduler.application.transitions import Transitions
from scheduler.application.use_cases.cancel_job import revoked_by
from scheduler.domain.job import Job

CLOSED_WITHIN = timedelta(hours=1)
BATCH = 1000


class RecoverLostJobs:
    """A job whose worker was closed runs again at its old place, or is a dead letter when its attempts are used up."""

    def __init__(
        self,
        *,
        repository: JobRepository,
        sweeper: JobSweeper,
        queue: BestEffortQueue,
        transitions: Transitions,
        clock: Clock,
        telemetry: ReaperTelemetry,
    ) -> None:
        self._repository = repository
        self._sweeper = sweeper
        self._queue = queue
        self._transitions = transitions
        self._clock = clock
        self._telemetry = telemetry

    async def execute(self) -> bool:
        """Recover one batch from recently closed workers; tell whether there may be more."""
        return await self._recover(await self._sweeper.held_by_closed_workers(CLOSED_WITHIN, BATCH))

    async def execute_absent(self) -> bool:
        """Recover one batch from workers that nobody knows any more; tell whether there may be more."""
        return await self._recover(await self._sweeper.held_by_absent_workers(BATCH))

    async def _recover(self, held: Sequence[Job]) -> bool:
        if not held:
            return False
        now = self._clock.now()
        changes = [self._transitions.change(job, job.lose(now)) for job in held]
        applied = await self._repository.apply(changes)
        jobs = [change.job for change in changes if change.job.id in applied]
        await self._queue.enqueue(jobs)
        await self._queue.announce(jobs, [revoked for job in held if job.id in applied for revoked in revoked_by(job)])
        self._telemetry.jobs_recovered(jobs)
        return len(held) == BATCH
