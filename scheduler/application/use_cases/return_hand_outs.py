"""Put back what was handed out and never started."""

from scheduler.application.best_effort import queue_entry
from scheduler.application.ports.job_repository import JobRepository
from scheduler.application.ports.queue_maintenance import QueueMaintenance
from scheduler.application.ports.telemetry import ReaperTelemetry

BATCH = 1000


class ReturnHandOuts:
    """An overdue hand-out goes back to its place if the store says QUEUED, and is forgotten otherwise."""

    def __init__(self, *, repository: JobRepository, maintenance: QueueMaintenance, telemetry: ReaperTelemetry) -> None:
        self._repository = repository
        self._maintenance = maintenance
        self._telemetry = telemetry

    async def execute(self) -> bool:
        """Handle one batch; tell whether there may be more."""
        overdue = await self._maintenance.overdue(BATCH)
        if not overdue:
            return False
        jobs = await self._repository.load(overdue)
        back = [entry for job in jobs.values() if (entry := queue_entry(job)) is not None]
        returned = {entry.job_id for entry in back}
        gone = [job_id for job_id in overdue if job_id not in returned]
        self._telemetry.queue_repaired("overdue", await self._maintenance.return_overdue(back, gone))
        return len(overdue) == BATCH
