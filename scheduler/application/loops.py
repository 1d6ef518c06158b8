"""The one shape of a background loop: turn, note progress, log faults, wait with jitter."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import timedelta

from scheduler.application.ports.health import Progress
from scheduler.application.ports.randomness import Randomness
from scheduler.application.ports.telemetry import FaultTelemetry

JITTER = 0.2
MAX_FAULT_PAUSE_SECONDS = 5.0
CANCEL_AGAIN_SECONDS = 0.1


async def wait_until(event: asyncio.Event, seconds: float) -> bool:
    """Wait for the event, at most so long; tell whether it is set."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return event.is_set()
    return True


async def _cancel_all(tasks: Sequence[asyncio.Task[object]]) -> None:
    """Cancel until all have ended: a library may swallow a cancellation that meets it at a bad moment."""
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=CANCEL_AGAIN_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)


async def run_until(work: Coroutine[None, None, None], *events: asyncio.Event) -> None:
    """Run the work until it ends or one of the events is set; raises what the work raises."""
    working = asyncio.create_task(work)
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait({working, *waits}, return_when=asyncio.FIRST_COMPLETED)
        ended = working.done()
    finally:
        await _cancel_all([working, *waits])
    if ended:
        working.result()


def spread(seconds: float, draw: float) -> float:
    """Spread a wait by ± JITTER, so that many processes do not act in step; `draw` is uniform in [0, 1)."""
    return seconds * (1 + JITTER * (2 * draw - 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopServices:
    """What every loop needs beside its work."""

    faults: FaultTelemetry
    progress: Progress
    randomness: Randomness


class Loop:
    """Calls `run_once` every `interval` seconds until stopped; one that returns True is called again at once.

    A fault is logged and followed by longer and longer pauses; it never ends the loop.
    """

    def __init__(
        self, name: str, run_once: Callable[[], Awaitable[bool]], *, interval: float, services: LoopServices
    ) -> None:
        self._name = name
        self._run_once = run_once
        self._interval = interval
        self._services = services
        self._failures = 0

    async def run(self, stopping: asyncio.Event) -> None:
        """Turn until `stopping` is set."""
        while not stopping.is_set():
            pause = await self._turn()
            self._services.progress.beat(self._name)
            if pause > 0:
                await wait_until(stopping, pause)

    async def _turn(self) -> float:
        try:
            again = await self._run_once()
        except Exception as error:  # noqa: BLE001 - the outermost frame of the loop: log it and go on
            return self._pause_after(error)
        self._failures = 0
        return 0 if again else spread(self._interval, self._services.randomness.draw())

    def _pause_after(self, error: Exception) -> float:
        self._failures += 1
        pause = min(MAX_FAULT_PAUSE_SECONDS, max(self._interval, 0.1) * 2 ** min(self._failures - 1, 10))
        pause = spread(pause, self._services.randomness.draw())
        self._services.faults.fault(f"{self._name}_failed", error, retry_in=timedelta(seconds=pause))
        return pause
