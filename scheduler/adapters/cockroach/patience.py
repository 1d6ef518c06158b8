"""How long one statement is repeated, and how long it pauses in between."""

import asyncio
import random
import time
from collections.abc import Callable
from typing import Final

from psycopg_pool import PoolTimeout

from scheduler.adapters.cockroach.connection import RECONNECT_SECONDS, Link
from scheduler.adapters.cockroach.errors import Failure, Verdict, error_of_ours, verdict_on

FIRST_PAUSE: Final = 0.01
"""Seconds; the bound doubles with each repetition, and the pause is drawn between 0 and the bound."""
LONGEST_PAUSE: Final = 0.5


class Patience:
    """Decides after each failure of one statement: pause and repeat, or raise what the caller shall see."""

    def __init__(self, seconds: float, link: Link, draw: Callable[[], float] = random.random) -> None:
        self._deadline = time.monotonic() + seconds
        self._link = link
        self._draw = draw
        self._failures = 0
        self._disconnected_at: float | None = None

    def left(self) -> float:
        """Return the seconds that are left until the deadline."""
        return max(0.0, self._deadline - time.monotonic())

    async def after(self, error: Failure) -> None:
        """Return after a pause when the statement is worth repeating, else raise an error of ours."""
        verdict = verdict_on(error)
        if not self._may_repeat(verdict):
            raise error_of_ours(error, verdict, self._detail(error)) from error
        self._failures += 1
        pause = self._draw() * min(LONGEST_PAUSE, FIRST_PAUSE * 2**self._failures)
        if pause >= self.left():
            raise error_of_ours(error, Verdict.UNAVAILABLE, self._detail(error)) from error
        await asyncio.sleep(pause)

    def _may_repeat(self, verdict: Verdict) -> bool:
        match verdict:
            case Verdict.REPEAT:
                return True
            case Verdict.RECONNECT:
                return self._outage() < RECONNECT_SECONDS
            case _:
                return False

    def _outage(self) -> float:
        """Return for how long there has been no connection, for this statement or for any."""
        now = time.monotonic()
        if self._disconnected_at is None:
            self._disconnected_at = now
        return max(now - self._disconnected_at, self._link.outage())

    def _detail(self, error: Failure) -> str:
        """Prefer the reason why no connection could be made to the fact that the pool had none."""
        if isinstance(error, PoolTimeout | TimeoutError):
            return self._link.failure or "no answer within the deadline"
        return ""
