"""Forget what ended long ago."""

from collections.abc import Sequence
from datetime import timedelta

from scheduler.application.dto import PurgeRule
from scheduler.application.ports.clock import Clock
from scheduler.application.ports.job_sweeper import JobSweeper
from scheduler.application.ports.worker_registry import WorkerRegistry

BATCH = 1000
KEEP_CLOSED_WORKERS = timedelta(days=7)


class PurgeJobs:
    """Nothing is deleted before its retention ends; then in batches that disturb nobody."""

    def __init__(
        self, *, sweeper: JobSweeper, registry: WorkerRegistry, clock: Clock, rules: Sequence[PurgeRule]
    ) -> None:
        self._sweeper = sweeper
        self._registry = registry
        self._clock = clock
        self._rules = rules

    async def execute(self) -> bool:
        """Delete one batch per rule; tell whether there may be more."""
        now = self._clock.now()
        purged = [await self._sweeper.purge(rule, now=now, limit=BATCH) for rule in self._rules]
        await self._registry.forget_closed(KEEP_CLOSED_WORKERS)
        return max(purged, default=0) == BATCH
