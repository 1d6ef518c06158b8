"""Cancel a job."""

from scheduler.application.best_effort import BestEffortQueue
from scheduler.application.ports.clock import Clock
from scheduler.application.transitions import Transitions
from scheduler.domain.events import AttemptRevoked
from scheduler.domain.ids import JobId
from scheduler.domain.job import Job
from scheduler.domain.state import JobState


class CancelJob:
    """Once it returned True the job is CANCELLED and no later result changes that; its worker is told at once."""

    def __init__(self, *, transitions: Transitions, queue: BestEffortQueue, clock: Clock) -> None:
        self._transitions = transitions
        self._queue = queue
        self._clock = clock

    async def execute(self, job_id: JobId) -> bool:
        """Tell whether the job is CANCELLED now; False when it had ended otherwise. Raises JobNotFoundError."""
        before, after = await self._transitions.insist(job_id, self._cancel)
        if after is not before:
            await self._tell(before, after)
        return after.state is JobState.CANCELLED

    def _cancel(self, job: Job) -> Job | None:
        return None if job.is_final else job.cancel(self._clock.now())

    async def _tell(self, before: Job, after: Job) -> None:
        await self._queue.announce([after], revoked_by(before))
        if before.state is JobState.QUEUED:
            await self._queue.remove([after.id])


def revoked_by(before: Job) -> list[AttemptRevoked]:
    """Return the attempt that a transition from `before` takes from its worker, if one ran."""
    if before.state is not JobState.RUNNING or before.worker_id is None:
        return []
    return [AttemptRevoked(worker_id=before.worker_id, attempt_id=before.attempt_id)]
