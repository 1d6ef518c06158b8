"""Show operators how full the queues are."""

from scheduler.application.errors import QueueUnavailableError
from scheduler.application.ports.job_reader import JobReader
from scheduler.application.ports.queue_maintenance import QueueDepths, QueueMaintenance
from scheduler.application.ports.telemetry import ReaperTelemetry
from scheduler.application.ports.worker_registry import WorkerRegistry


class SampleDepths:
    """The gauges follow the store, and the queue where it answers."""

    def __init__(
        self,
        *,
        reader: JobReader,
        maintenance: QueueMaintenance,
        registry: WorkerRegistry,
        telemetry: ReaperTelemetry,
    ) -> None:
        self._reader = reader
        self._maintenance = maintenance
        self._registry = registry
        self._telemetry = telemetry

    async def execute(self) -> None:
        """Set the gauges once."""
        stats = await self._reader.queue_stats()
        workers = await self._registry.count_open()
        self._telemetry.depths(await self._queue_depths(), stats, workers)
        self._telemetry.expired_leases(await self._registry.count_expired())

    async def _queue_depths(self) -> QueueDepths | None:
        try:
            return await self._maintenance.depths()
        except QueueUnavailableError:
            return None
