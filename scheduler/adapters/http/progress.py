"""Signs of life of the loops that a process cannot live without."""

from collections.abc import Sequence
from datetime import timedelta

from scheduler.application.ports.clock import Clock
from scheduler.application.ports.health import Progress


class LoopProgress(Progress):
    """Remembers when each loop last turned. Loops may beat from any thread: each step is one dict operation."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._max_silence: dict[str, float] = {}
        self._last_beat: dict[str, float] = {}

    def register(self, loop: str, *, max_silence: timedelta) -> None:
        """Expect the loop to turn at least that often from now on."""
        self._last_beat[loop] = self._clock.monotonic()
        self._max_silence[loop] = max_silence.total_seconds()

    def forget(self, loop: str) -> None:
        """Expect nothing more of a loop that has ended as it should."""
        self._max_silence.pop(loop, None)

    def beat(self, loop: str) -> None:
        """Note that the loop turned; a loop that nobody registered is watched by nobody."""
        self._last_beat[loop] = self._clock.monotonic()

    def stuck(self) -> Sequence[str]:
        """Return the registered loops that have been silent for longer than they may, sorted."""
        now = self._clock.monotonic()
        limits = self._max_silence.copy()
        return sorted(loop for loop, limit in limits.items() if now - self._last_beat[loop] > limit)
