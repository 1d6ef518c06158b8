"""A worker: its loops, what its lease tells it, and its graceful end."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from scheduler.application.loops import Loop, LoopServices, wait_until
from scheduler.application.ports.clock import Clock
from scheduler.application.worker.attempt import StopReason
from scheduler.application.worker.attempts import AttemptTable
from scheduler.application.worker.cancellations import MeasureCancellations
from scheduler.application.worker.claim_loop import ClaimLoop
from scheduler.application.worker.ending import Ending
from scheduler.application.worker.lease import LeaseHolder
from scheduler.application.worker.orphans import ReleaseOrphans
from scheduler.application.worker.runner import AttemptRunner
from scheduler.application.worker.stragglers import Stragglers
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
        stragglers: Stragglers,
        runner: AttemptRunner,
        claim_loop: ClaimLoop,
        wakeups: Wakeups,
        orphans: ReleaseOrphans,
        cancellations: MeasureCancellations,
        clock: Clock,
        services: LoopServices,
    ) -> None:
        self._table = table
        self._stragglers = stragglers
        self._runner = runner
        self._claim_loop = claim_loop
        self._wakeups = wakeups
        self._orphans = orphans
        self._cancellations = cancellations
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

    async def run(self, stopping: asyncio.Event, *, grace_seconds: float) -> Ending:
        """Work until stopped, then drain; a worker that is worn out sets `stopping` itself."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._wakeups.run(stopping, self.revoke))
            group.create_task(self._nudge_at(stopping))
            for name, turn in (("orphans", self._release_orphans), ("cancellations", self._measure_cancellations)):
                group.create_task(Loop(name, turn, interval=0.1, services=self._services).run(stopping))
            wear = group.create_task(self._stop_when_worn_out(stopping))
            await self._claim_loop.run(stopping)
            wear.cancel()
        worn_out = self._stragglers.worn_out.is_set()
        hung = await self._drain(grace_seconds)
        if worn_out:
            return Ending.WORN_OUT
        return Ending.HUNG if hung else Ending.COMPLETE

    async def _stop_when_worn_out(self, stopping: asyncio.Event) -> None:
        await self._stragglers.worn_out.wait()
        stopping.set()

    async def _nudge_at(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        for event in (self._wakeups.work, self._table.changed, self._strangers_changed, self._cancellations.noted):
            event.set()

    async def _release_orphans(self) -> bool:
        await wait_until(self._strangers_changed, 5.0)
        self._strangers_changed.clear()
        await self._orphans.execute(self._strangers)
        return False

    async def _measure_cancellations(self) -> bool:
        await wait_until(self._cancellations.noted, 5.0)
        await self._cancellations.execute()
        return False

    async def _drain(self, grace_seconds: float) -> bool:
        """Let what runs end, give back the rest; tell whether a handler runs on."""
        await self._patiently(grace_seconds, lambda: not len(self._table))
        self._table.stop_all(StopReason.RELEASED)
        await self._patiently(CANCEL_SECONDS, lambda: not len(self._table) and not self._stragglers.in_time)
        await self._give_up()
        hung = len(self._stragglers) > 0 or any(attempt.handler_runs for attempt in self._table)
        self._runner.abandon()
        return hung

    async def _give_up(self) -> None:
        """Give back the jobs of handlers that would not stop, and let the last results through."""
        for attempt in self._table:
            attempt.give_up()
        try:
            async with asyncio.timeout(RECORD_SECONDS):
                await self._wait_until(lambda: not len(self._table))
        except TimeoutError as error:
            self._services.faults.fault("results_lost_at_stop", error)

    async def _patiently(self, seconds: float, condition: Callable[[], bool]) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wait_until(condition)

    async def _wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition of the slots."""
        while not condition():
            self._table.changed.clear()
            await self._table.changed.wait()
