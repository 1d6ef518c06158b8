"""What the worker hears from others: that work arrived, and that an attempt lost its job."""

import asyncio
from collections.abc import Callable
from typing import assert_never

from scheduler.application.loops import run_until, spread, wait_until
from scheduler.application.ports.event_bus import EventBus
from scheduler.application.ports.randomness import Randomness
from scheduler.application.ports.telemetry import FaultTelemetry
from scheduler.domain.events import AttemptRevoked, Event, JobChanged, JobProgressed, WorkArrived
from scheduler.domain.ids import AttemptId, WorkerId

RECONNECT_SECONDS = 1.0


class Wakeups:
    """Listens while it can; the claim loop polls while it cannot."""

    def __init__(self, *, bus: EventBus, randomness: Randomness, faults: FaultTelemetry) -> None:
        self._bus = bus
        self._randomness = randomness
        self._faults = faults
        self.work = asyncio.Event()
        """Set when work may be waiting."""
        self.hearing = False
        self._worker_id: WorkerId | None = None
        self._renamed = asyncio.Event()

    def listen_as(self, worker_id: WorkerId) -> None:
        """Hear what is sent to this worker id from now on."""
        self._worker_id = worker_id
        self._renamed.set()

    async def run(self, stopping: asyncio.Event, revoke: Callable[[AttemptId], None]) -> None:
        """Listen until stopped."""
        while not stopping.is_set():
            self._renamed.clear()
            try:
                await run_until(self._listen(revoke), self._renamed, stopping)
            except Exception as error:  # noqa: BLE001 - the outermost frame of the loop: log it and go on
                self._faults.fault("wakeups_lost", error)
                await wait_until(stopping, spread(RECONNECT_SECONDS, self._randomness.draw()))

    async def _listen(self, revoke: Callable[[AttemptId], None]) -> None:
        try:
            async with self._bus.subscribe(work=True, worker_id=self._worker_id) as subscription:
                self.hearing = True
                self.work.set()
                async for event in subscription.events():
                    self._hear(event, revoke)
        finally:
            if self.hearing:
                self.hearing = False
                self.work.set()

    def _hear(self, event: Event, revoke: Callable[[AttemptId], None]) -> None:
        match event:
            case WorkArrived():
                self.work.set()
            case AttemptRevoked(attempt_id=attempt_id):
                revoke(attempt_id)
            case JobChanged() | JobProgressed():
                pass
            case _:
                assert_never(event)
