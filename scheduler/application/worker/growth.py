"""A worker in which handlers leak memory."""

from scheduler.application.ports.memory import ProcessMemory
from scheduler.application.ports.telemetry import StopTelemetry
from scheduler.application.worker.stragglers import Stragglers


class WatchGrowth:
    """A worker that has more memory than it may is worn out: what leaks in it costs a new process, and no job."""

    def __init__(
        self,
        *,
        memory: ProcessMemory,
        max_megabytes: int | None,
        stragglers: Stragglers,
        telemetry: StopTelemetry,
    ) -> None:
        self._memory = memory
        self._max_megabytes = max_megabytes
        self._stragglers = stragglers
        self._telemetry = telemetry

    async def execute(self) -> None:
        """Look once."""
        if self._max_megabytes is None or self._stragglers.worn_out.is_set():
            return
        megabytes = self._memory.resident_megabytes()
        if megabytes > self._max_megabytes:
            self._telemetry.grown(megabytes=megabytes)
            self._stragglers.worn_out.set()
