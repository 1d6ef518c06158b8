"""Tell how full the queues are."""

from datetime import datetime

from scheduler.application.dto import QueueStats
from scheduler.application.ports.clock import Clock
from scheduler.application.ports.job_reader import JobReader


class GetQueueStats:
    """The counts come from the store, which is right even while Redis is empty."""

    def __init__(self, *, reader: JobReader, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock

    async def execute(self) -> tuple[QueueStats, datetime]:
        """Return the counts and the time at which they hold."""
        return await self._reader.queue_stats(), self._clock.now()
