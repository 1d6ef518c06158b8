"""Fills free slots: woken by the queue, by a slot that became free, or by a jittered poll."""

import asyncio

from scheduler.application.errors import StoreUnavailableError
from scheduler.application.loops import LoopServices, spread, wait_until
from scheduler.application.ports.store_time import StoreTime
from scheduler.application.use_cases.start_jobs import StartJobs
from scheduler.application.worker.attempt import StopReason
from scheduler.application.worker.attempts import AttemptTable
from scheduler.application.worker.runner import AttemptRunner
from scheduler.application.worker.wakeups import Wakeups
from scheduler.domain.ids import WorkerId

POLL_SECONDS = 2.0
POLL_SECONDS_WITHOUT_HINTS = 0.5
LOOP = "claim"


class ClaimLoop:
    """Asks for as many jobs as there are free slots, and for none while the lease or the store is in doubt."""

    def __init__(
        self,
        *,
        table: AttemptTable,
        start_jobs: StartJobs,
        runner: AttemptRunner,
        wakeups: Wakeups,
        store_time: StoreTime,
        services: LoopServices,
    ) -> None:
        self._table = table
        self._start_jobs = start_jobs
        self._runner = runner
        self._wakeups = wakeups
        self._store_time = store_time
        self._services = services
        self._store_failed = False
        self._worker_id: WorkerId | None = None
        self._wake = wakeups.work
        self._more = True

    def resume(self, worker_id: WorkerId) -> None:
        """Claim under this id from now on."""
        self._worker_id = worker_id
        self._wake.set()

    def suspend(self) -> None:
        """Claim nothing until resumed."""
        self._worker_id = None

    async def run(self, stopping: asyncio.Event) -> None:
        """Claim until stopped."""
        while not stopping.is_set():
            self._services.progress.beat(LOOP)
            try:
                await self._turn()
            except Exception as error:  # noqa: BLE001 - the outermost frame of the loop: log it and go on
                self._services.faults.fault("claim_failed", error)
                self._store_failed = isinstance(error, StoreUnavailableError)
                await wait_until(stopping, spread(POLL_SECONDS_WITHOUT_HINTS, self._services.randomness.draw()))

    async def _turn(self) -> None:
        if self._store_failed:
            # What this worker took from the queue and cannot start, others might.
            await self._store_time.read()
            self._store_failed = False
        self._table.changed.clear()
        if self._worker_id is None or not self._more:
            await self._wait_for_work()
        elif self._table.free == 0:
            await wait_until(self._table.changed, POLL_SECONDS)
        else:
            await self._claim(self._worker_id)

    async def _wait_for_work(self) -> None:
        poll = POLL_SECONDS if self._wakeups.hearing else POLL_SECONDS_WITHOUT_HINTS
        await wait_until(self._wake, spread(poll, self._services.randomness.draw()))
        # Without a lease nothing claims, and nothing else clears it: left set, no later wait would let others run.
        self._wake.clear()
        self._more = True

    async def _claim(self, worker_id: WorkerId) -> None:
        self._wake.clear()
        free = self._table.free
        batch = await self._start_jobs.execute(worker_id, free)
        self._more = batch.claimed == free or self._wake.is_set()
        for started in batch.jobs:
            self._runner.launch(started, worker_id)
            if self._worker_id != worker_id:
                # The lease ended while the start was under way: nothing would guard the handlers.
                self._table.stop(started.attempt_id, StopReason.RELEASED)
