"""Run an ended job again."""

from scheduler.application.best_effort import BestEffortQueue
from scheduler.application.errors import VersionConflictError
from scheduler.application.ports.clock import Clock
from scheduler.application.ports.telemetry import SubmitTelemetry
from scheduler.application.transitions import Transitions
from scheduler.domain.ids import JobId
from scheduler.domain.job import Job
from scheduler.domain.json_document import check_json


class RequeueJob:
    """A FAILED, DEADLETTER or CANCELLED job starts over with all its attempts; the history stays."""

    def __init__(
        self, *, transitions: Transitions, queue: BestEffortQueue, clock: Clock, telemetry: SubmitTelemetry
    ) -> None:
        self._transitions = transitions
        self._queue = queue
        self._clock = clock
        self._telemetry = telemetry

    async def execute(self, job_id: JobId, *, payload: str | None, expected_version: int) -> Job:
        """Return the queued job. `payload` None keeps the stored one; `expected_version` 0 means any.

        Raises JobNotFoundError, TransitionNotAllowedError, VersionConflictError, InvalidFieldError.
        """
        if payload is not None:
            check_json("payload", payload)

        def requeue(job: Job) -> Job:
            if expected_version not in {0, job.version}:
                raise VersionConflictError(job.id, expected_version, job.version)
            return job.requeue(self._clock.now())

        _, after = await self._transitions.insist(job_id, requeue, payload=payload)
        await self._queue.enqueue([after])
        await self._queue.announce([after])
        self._telemetry.jobs_requeued([after])
        return after
