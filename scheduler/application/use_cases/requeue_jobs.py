"""Run many ended jobs again."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from scheduler.application.best_effort import BestEffortQueue
from scheduler.application.bulk import BulkChanges
from scheduler.application.dead_letters import BulkOrder, BulkOutcome, EndedFilter, FoundJob
from scheduler.application.ports.clock import Clock
from scheduler.application.ports.job_repository import JobRepository
from scheduler.application.ports.telemetry import SubmitTelemetry
from scheduler.application.transitions import Transitions
from scheduler.domain.job import Job
from scheduler.domain.state import REQUEUEABLE_STATES

_MICROSECOND = timedelta(microseconds=1)


class RequeueJobs:
    """All that match start over, the oldest end first, behind what is queued; a job that moved meanwhile is skipped."""

    def __init__(
        self,
        *,
        repository: JobRepository,
        bulk: BulkChanges,
        transitions: Transitions,
        queue: BestEffortQueue,
        clock: Clock,
        telemetry: SubmitTelemetry,
    ) -> None:
        self._repository = repository
        self._bulk = bulk
        self._transitions = transitions
        self._queue = queue
        self._clock = clock
        self._telemetry = telemetry

    async def execute(self, job_filter: EndedFilter, order: BulkOrder, gone: asyncio.Event) -> BulkOutcome:
        """Requeue within the caller's time, until `gone` is set. Raises InvalidFieldError, StoreUnavailableError."""
        job_filter.require_only(REQUEUEABLE_STATES)
        return await self._bulk.run(job_filter, order, partial(self._requeue, _Places()), gone)

    async def _requeue(self, places: "_Places", found: Sequence[FoundJob]) -> int:
        jobs = await self._repository.load([each.id for each in found])
        asked = [job for each in found if (job := jobs.get(each.id)) is not None and job.version == each.version]
        now = self._clock.now()
        pairs = [(job, job.requeue(places.next(now))) for job in asked]
        applied = await self._repository.apply([self._transitions.change(*pair) for pair in pairs])
        requeued = [after for _, after in pairs if after.id in applied]
        await self._tell(requeued)
        return len(requeued)

    async def _tell(self, requeued: Sequence[Job]) -> None:
        await self._queue.enqueue(requeued)
        await self._queue.announce(requeued)
        self._telemetry.jobs_requeued(requeued)


class _Places:
    """Places in the queue, each from now on and behind the one before, as the jobs of one batch of submissions get."""

    def __init__(self) -> None:
        self._free: datetime | None = None

    def next(self, now: datetime) -> datetime:
        place = now if self._free is None else max(now, self._free)
        self._free = place + _MICROSECOND
        return place
