"""An event loop in which no time is lost: whenever all wait, its clock jumps to what happens next."""

import asyncio
import math
import selectors
from collections.abc import Callable
from datetime import timedelta

from scheduler.adapters.memory.fixed_clock import FixedClock

_MICROSECONDS = 1_000_000


class _Selector(selectors.DefaultSelector):
    """Reports what is ready, and instead of waiting for more lets `skip` pass the time."""

    def __init__(self, skip: Callable[[float], None]) -> None:
        super().__init__()
        self._skip = skip

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("everything waits for something that can never happen")
        if not ready and timeout:
            self._skip(timeout)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Lives by a clock that it moves itself. Nothing in it may wait for other threads or processes."""

    def __init__(self, clock: FixedClock) -> None:
        self._virtual_clock = clock
        super().__init__(_Selector(self._pass))

    def time(self) -> float:
        return self._virtual_clock.monotonic()

    def _pass(self, seconds: float) -> None:
        # Rounded up: a clock of whole microseconds must reach the timer, or it would be waited for again and again.
        self._virtual_clock.advance(timedelta(microseconds=math.ceil(seconds * _MICROSECONDS)))
