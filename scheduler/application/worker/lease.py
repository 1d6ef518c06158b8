"""The worker's lease: renewed in a thread of its own, so that a handler that blocks the event loop does not lose it."""

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from scheduler.application.deadline import time_limit
from scheduler.application.dto import WorkerInfo
from scheduler.application.loops import spread, wait_until
from scheduler.application.ports.clock import Clock
from scheduler.application.ports.health import Progress
from scheduler.application.ports.randomness import Randomness
from scheduler.application.ports.telemetry import WorkerTelemetry
from scheduler.application.ports.worker_registry import WorkerRegistry
from scheduler.domain.errors import SchedulerError
from scheduler.domain.ids import AttemptId, WorkerId
from scheduler.domain.lease import LeaseTerms

CLOSE_SECONDS = 2.0
RETRY_SECONDS = 0.5
LOOP = "lease"


class LeaseHolder(Protocol):
    """The worker, as its lease sees it. Called from the lease's thread."""

    @abstractmethod
    def lease_opened(self, worker_id: WorkerId) -> None:
        """Jobs may be started under this id from now on."""

    @abstractmethod
    def lease_suspended(self) -> None:
        """Start nothing, stop the handlers, give their jobs back: the lease may have run out."""

    @abstractmethod
    def running_attempts(self) -> frozenset[AttemptId]:
        """Return the attempts that run here now."""

    @abstractmethod
    def attempts_checked(self, *, lost: frozenset[AttemptId], strangers: frozenset[AttemptId]) -> None:
        """Stop the `lost`, whose jobs are no longer theirs; look into the `strangers`, which are ours but not here."""

    @abstractmethod
    def has_stuck_handler(self) -> bool:
        """Tell whether a handler runs on long after its deadline."""

    @abstractmethod
    def handler_stuck(self) -> None:
        """End the process: the lease is renewed no longer."""


class LeaseKeeper:
    """Opens the lease, renews it every third of its length, and opens a new one under a new id when it was closed."""

    def __init__(
        self,
        *,
        registry: WorkerRegistry,
        describe: Callable[[], WorkerInfo],
        terms: LeaseTerms,
        clock: Clock,
        randomness: Randomness,
        telemetry: WorkerTelemetry,
        progress: Progress,
    ) -> None:
        self._registry = registry
        self._describe = describe
        self._terms = terms
        self._clock = clock
        self._randomness = randomness
        self._telemetry = telemetry
        self._progress = progress
        self._worker_id: WorkerId | None = None
        self._trusted = False
        self._last_good = 0.0

    async def run(self, holder: LeaseHolder, stopping: asyncio.Event) -> None:
        """Keep the lease until stopped, then close it. Returns early when a handler is stuck for good."""
        while not stopping.is_set():
            if holder.has_stuck_handler():
                holder.handler_stuck()
                return
            begun = self._clock.monotonic()
            ok = await self._turn(holder)
            self._progress.beat(LOOP)
            await wait_until(stopping, self._pause(begun, ok=ok))
        await self._close()

    def _pause(self, begun: float, *, ok: bool) -> float:
        """Renew at an even pace however slow the store is: a short lease would end, or be doubted, before the next."""
        if not ok:
            return spread(RETRY_SECONDS, self._randomness.draw())
        took = self._clock.monotonic() - begun
        return max(0.0, self._terms.renewal_interval.total_seconds() - took)

    async def _turn(self, holder: LeaseHolder) -> bool:
        # The whole process may have stood still since the last turn: it stops first, and asks then.
        self._suspend_if_expiring(holder)
        sent = self._clock.monotonic()
        try:
            with time_limit(self._terms.renewal_time_limit.total_seconds()):
                worker_id = await self._renew_or_open(holder, sent)
            with time_limit(self._terms.renewal_interval.total_seconds() - (self._clock.monotonic() - sent)):
                await self._report_held(holder, worker_id)
        except SchedulerError:
            # Whatever the store says: without an answer the lease runs out, and with the next one it goes on.
            self._count("unavailable")
            self._suspend_if_expiring(holder)
            return False
        # Or since the renewal was sent: then its answer is old.
        self._suspend_if_expiring(holder)
        return self._trusted

    async def _renew_or_open(self, holder: LeaseHolder, sent: float) -> WorkerId:
        if self._worker_id is not None and not await self._registry.renew(self._worker_id, self._terms.duration):
            self._count("closed")
            self._suspend(holder)
            self._worker_id = None
        if self._worker_id is None:
            worker = self._describe()
            await self._registry.register(worker, self._terms.duration)
            self._worker_id = worker.id
        self._last_good = sent
        self._count("ok")
        if not self._trusted:
            self._trusted = True
            holder.lease_opened(self._worker_id)
        return self._worker_id

    async def _report_held(self, holder: LeaseHolder, worker_id: WorkerId) -> None:
        running = holder.running_attempts()
        held = await self._registry.held_attempts(worker_id)
        holder.attempts_checked(lost=running - held, strangers=held - running)

    def _suspend_if_expiring(self, holder: LeaseHolder) -> None:
        silence = timedelta(seconds=self._clock.monotonic() - self._last_good)
        if self._trusted and self._terms.must_stop(silence):
            self._suspend(holder)

    def _suspend(self, holder: LeaseHolder) -> None:
        if self._trusted:
            self._trusted = False
            holder.lease_suspended()

    async def _close(self) -> None:
        if self._worker_id is None:
            return
        try:
            with time_limit(CLOSE_SECONDS):
                await self._registry.close(self._worker_id)
        except SchedulerError:
            self._count("unavailable")

    def _count(self, result: str) -> None:
        if self._worker_id is not None:
            self._telemetry.lease_renewed(self._worker_id, result=result)
