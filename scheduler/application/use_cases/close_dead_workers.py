"""End the leases of workers that did not renew them."""

from scheduler.application.ports.clock import Clock
from scheduler.application.ports.store_time import StoreTime
from scheduler.application.ports.telemetry import ReaperTelemetry
from scheduler.application.ports.worker_registry import WorkerRegistry
from scheduler.domain.lease import LeaseTerms, ReaperPatience


class CloseDeadWorkers:
    """A worker is closed only when its lease expired while it could have renewed it."""

    def __init__(
        self,
        *,
        registry: WorkerRegistry,
        store_time: StoreTime,
        clock: Clock,
        terms: LeaseTerms,
        telemetry: ReaperTelemetry,
    ) -> None:
        self._registry = registry
        self._store_time = store_time
        self._clock = clock
        self._terms = terms
        self._telemetry = telemetry
        self._patience: ReaperPatience | None = None

    async def execute(self) -> None:
        """Close expired workers, unless the reaper must be patient; raises StoreUnavailableError."""
        store_now = await self._store_time.read()
        monotonic = self._clock.monotonic()
        if self._patience is None:
            self._patience = ReaperPatience.begin(self._terms, monotonic, store_now)
        self._patience = self._patience.observe(monotonic, store_now)
        if self._patience.may_close(monotonic):
            # Judged by the reading, not by when it is carried out: that may be after an outage, or a jump of the clock.
            self._telemetry.workers_closed(await self._registry.close_expired(store_now))
