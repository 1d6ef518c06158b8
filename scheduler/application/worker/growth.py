"""A worker whose memory grows by what handlers leave behind."""

import math

from scheduler.application.ports.clock import Clock
from scheduler.application.ports.memory import ProcessMemory
from scheduler.application.ports.telemetry import StopTelemetry
from scheduler.application.worker.stragglers import Stragglers

GROWTH_MEGABYTES = 64
GROWTH_SHARE = 0.5
"""So much more than there was calls for a collection, and at least the above. Python counts objects: a few in a circle,
however much they hold, call for none."""
COLLECTING_SHARE = 0.2
"""Of all time, at most."""


class WatchGrowth:
    """What handlers left behind in circles is collected when it is large, not only when it is many objects.

    A worker that has more memory than it may, all the same, is worn out: a leak costs a new process, and no job.
    """

    def __init__(
        self,
        *,
        memory: ProcessMemory,
        max_megabytes: int,
        stragglers: Stragglers,
        clock: Clock,
        telemetry: StopTelemetry,
    ) -> None:
        self._memory = memory
        self._max_megabytes = max_megabytes
        self._stragglers = stragglers
        self._clock = clock
        self._telemetry = telemetry
        self._floor: float = math.inf
        self._next_collection = -math.inf

    async def execute(self) -> None:
        """Look once."""
        megabytes = self._memory.resident_megabytes()
        growth = max(GROWTH_MEGABYTES, self._floor * GROWTH_SHARE)
        if megabytes > self._floor + growth and self._clock.monotonic() >= self._next_collection:
            self._collect()
            self._floor = megabytes = self._memory.resident_megabytes()
        self._floor = min(self._floor, megabytes)
        if megabytes > self._max_megabytes and not self._stragglers.worn_out.is_set():
            self._telemetry.grown(megabytes=megabytes)
            self._stragglers.worn_out.set()

    def _collect(self) -> None:
        began = self._clock.monotonic()
        self._memory.collect()
        ended = self._clock.monotonic()
        self._next_collection = ended + (ended - began) / COLLECTING_SHARE
