"""A worker: its loops, what its lease tells it, and its graceful end."""

import asyncio

from scheduler.application.errors import StoreRejectedError
from scheduler.application.loops import Loop, LoopServices, wait_until
from scheduler.application.ports.clock import Clock
from scheduler.application.worker.attempts import AttemptTable, StopReason
from scheduler.application.worker.claim_loop import ClaimLoop
from scheduler.application.worker.lease import LeaseHolder
from scheduler.application.worker.orphans import ReleaseOrphans
from scheduler.application.worker.runner import AttemptRunner
from scheduler.application.worker.wakeups import Wakeups
from scheduler.domain.ids import AttemptId, WorkerId

CANCEL_SECONDS = 2.0
"""What a cancelled handler gets to clean up."""
RECORD_SECONDS = 5.0
"""What the last results get to reach the store."""


class Worker(LeaseHolder):
    """Lives on the worker's event loop; only what its lease asks without changing anything is safe from any thread."""

    def __init__(
        self,
        *,
        table: AttemptTable,
        runner: AttemptRunner,
        claim_loop: ClaimLoop,
        wakeups: Wakeups,
        orphans: ReleaseOrphans,
        clock: Clock,
        services: LoopServices,
    ) -> None:
        self._table = table
        self._runner = runner
        self._claim_loop = claim_loop
        self._wakeups = wakeups
        self._orphans = orphans
        self._clock = clock
        self._services = services
        self._strangers: frozenset[AttemptId] = frozenset()
        self._strangers_changed = asyncio.Event()

    def lease_opened(self, worker_id: WorkerId) -> None:
        """Claim under this id."""
        self._wakeups.listen_as(worker_id)
        self._claim_loop.resume(worker_id)

    def lease_suspended(self) -> None:
        """Claim nothing, stop the handlers and give their jobs back."""
        self._claim_loop.suspend()
        self._table.stop_all(StopReason.RELEASED)

    def running_attempts(self) -> frozenset[AttemptId]:
        """Return the attempts that run here now."""
        return self._table.ids()

    def attempts_checked(self, *, lost: frozenset[AttemptId], strangers: frozenset[AttemptId]) -> None:
        """Stop the lost ones; look for orphans among the strangers."""
        for attempt_id in lost:
            self.revoke(attempt_id)
        self._strangers = strangers
        self._strangers_changed.set()

    def has_stuck_handler(self) -> bool:
        """Tell whether a handler runs on long after its deadline."""
        return bool(self._table.overdue(self._clock.monotonic()))

    def handler_stuck(self) -> None:
        """Stop claiming: the process is about to end."""
        self._claim_loop.suspend()

    def revoke(self, attempt_id: AttemptId) -> None:
        """Stop an attempt whose job is no longer this worker's."""
        self._table.stop(attempt_id, StopReason.REVOKED)

    async def run(self, stopping: asyncio.Event, *, grace_seconds: float) -> bool:
        """Work until stopped, then drain; tell whether every handler has ended."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._wakeups.run(stopping, self.revoke))
            group.create_task(self._nudge_at(stopping))
            orphans = Loop("orphans", self._release_orphans, interval=0.1, services=self._services)
            group.create_task(orphans.run(stopping))
            await self._claim_loop.run(stopping)
        return await self._drain(grace_seconds)

    async def _nudge_at(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        for event in (self._wakeups.work, self._table.changed, self._strangers_changed):
            event.set()

    async def _release_orphans(self) -> bool:
        await wait_until(self._strangers_changed, 5.0)
        self._strangers_changed.clear()
        await self._orphans.execute(self._strangers)
        return False

    async def _drain(self, grace_seconds: float) -> bool:
        await self._wait_until_empty(grace_seconds)
        self._table.stop_all(StopReason.RELEASED)
        await self._wait_until_empty(CANCEL_SECONDS)
        await self._release_hung()
        hung = any(attempt.handler_runs for attempt in self._table)
        self._runner.abandon()
        return not hung

    async def _wait_until_empty(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while len(self._table):
                    self._table.changed.clear()
                    await self._table.changed.wait()
        except TimeoutError:
            return

    async def _release_hung(self) -> None:
        """Give back the jobs of handlers that would not stop, and let the last results through."""
        try:
            async with asyncio.timeout(RECORD_SECONDS):
                for attempt in self._table:
                    if attempt.handler_runs:
                        await self._runner.record(self._runner.release(attempt))
                while any(not attempt.handler_runs for attempt in self._table):
                    self._table.changed.clear()
                    await self._table.changed.wait()
        except (TimeoutError, StoreRejectedError) as error:
            self._services.faults.fault("results_lost_at_stop", error)
