"""End the leases of workers that did not renew them, and take their jobs back."""

from datetime import datetime

from scheduler.application.ports.clock import Clock
from scheduler.application.ports.store_time import StoreTime
from scheduler.application.ports.telemetry import ReaperTelemetry
from scheduler.application.ports.worker_registry import WorkerRegistry
from scheduler.application.use_cases.recover_lost_jobs import RecoverLostJobs
from scheduler.domain.errors import SchedulerError
from scheduler.domain.lease import LeaseTerms, ReaperPatience, StoreReading


class CloseDeadWorkers:
    """A worker is closed only when its lease expired while it could have renewed it."""

    def __init__(
        self,
        *,
        registry: WorkerRegistry,
        store_time: StoreTime,
        recover: RecoverLostJobs,
        clock: Clock,
        terms: LeaseTerms,
        telemetry: ReaperTelemetry,
    ) -> None:
        self._registry = registry
        self._store_time = store_time
        self._recover = recover
        self._clock = clock
        self._terms = terms
        self._telemetry = telemetry
        self._patience: ReaperPatience | None = None

    async def execute(self) -> None:
        """Close expired workers, unless the reaper must be patient, and recover; raises StoreUnavailableError."""
        patience = await self._observe()
        expired_by = patience.expired_by()
        if expired_by is not None and await self._close(patience, expired_by):
            # The next turn of the duty that recovers may be a second away.
            await self._recover.execute()

    async def _observe(self) -> ReaperPatience:
        sent = self._clock.monotonic()
        try:
            store_now = await self._store_time.read()
        except SchedulerError:
            self._patience = self._patience and self._patience.unanswered(sent)
            raise
        reading = StoreReading(now=store_now, sent=sent, received=self._clock.monotonic())
        before = self._patience
        self._patience = ReaperPatience.begin(self._terms, reading) if before is None else before.observe(reading)
        return self._patience

    async def _close(self, patience: ReaperPatience, expired_by: datetime) -> bool:
        sent = self._clock.monotonic()
        try:
            # Judged by a reading, not by when it is carried out: that may be after an outage, or a jump of the clock.
            closed = await self._registry.close_expired(expired_by)
        except SchedulerError:
            self._patience = patience.unanswered(sent)
            raise
        self._patience = patience.answered(sent=sent, received=self._clock.monotonic())
        self._telemetry.workers_closed(closed)
        return len(closed) > 0
