"""Queue what has come due."""

from scheduler.application.best_effort import BestEffortQueue
from scheduler.application.ports.clock import Clock
from scheduler.application.ports.job_repository import JobRepository
from scheduler.application.ports.job_sweeper import JobSweeper
from scheduler.application.ports.telemetry import ReaperTelemetry
from scheduler.application.transitions import Transitions

BATCH = 1000


class ReleaseDueJobs:
    """SCHEDULED and RETRYING jobs become QUEUED once their time has come, at the place that the time gives them."""

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
        """Release one batch; tell whether more may be due."""
        now = self._clock.now()
        due = await self._sweeper.due(now, BATCH)
        if not due:
            return False
        changes = [self._transitions.change(job, job.make_due(now)) for job in due]
        applied = await self._repository.apply(changes)
        jobs = [change.job for change in changes if change.job.id in applied]
        await self._queue.enqueue(jobs)
        await self._queue.announce(jobs)
        self._telemetry.jobs_released_due(jobs)
        return len(due) == BATCH
