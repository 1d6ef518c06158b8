"""How long it takes until a cancelled job's handler is told and its slot is free."""

import asyncio
from collections import deque
from dataclasses import dataclass
from datetime import datetime

from scheduler.application.ports.clock import Clock
from scheduler.application.ports.job_repository import JobRepository
from scheduler.application.ports.telemetry import StopTelemetry
from scheduler.domain.ids import AttemptId
from scheduler.domain.state import JobState

MAX_WAITING = 1000


@dataclass(frozen=True, slots=True)
class _Stopped:
    attempt_id: AttemptId
    free_at: datetime


class MeasureCancellations:
    """The row says when the job was cancelled, whichever way the worker learned of it: at once, or at a renewal."""

    def __init__(self, *, repository: JobRepository, clock: Clock, telemetry: StopTelemetry) -> None:
        self._repository = repository
        self._clock = clock
        self._telemetry = telemetry
        self._stopped = deque[_Stopped](maxlen=MAX_WAITING)
        self.noted = asyncio.Event()
        """Set when there is something to measure."""

    def note(self, attempt_id: AttemptId) -> None:
        """Note that the slot of a revoked attempt is free now."""
        self._stopped.append(_Stopped(attempt_id, self._clock.now()))
        self.noted.set()

    async def execute(self) -> None:
        """Measure those that were cancelled; the others lost their jobs otherwise, or these have moved on."""
        self.noted.clear()
        stopped = list(self._stopped)
        self._stopped.clear()
        if not stopped:
            return
        jobs = await self._repository.load(list({each.attempt_id.job_id for each in stopped}))
        for each in stopped:
            job = jobs.get(each.attempt_id.job_id)
            if job is not None and job.state is JobState.CANCELLED and job.version == each.attempt_id.fence + 1:
                self._telemetry.cancelled(each.free_at - job.updated_at)
