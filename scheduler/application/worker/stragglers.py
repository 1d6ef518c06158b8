"""Handlers that run on although their attempts are over."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial

from scheduler.application.ports.telemetry import StopTelemetry
from scheduler.application.worker.attempt import RunningAttempt

ABANDON_SECONDS = 10.0
"""What a handler that was told to end gets for it: more than the 5 s after which one in a process is killed."""


class Stragglers:
    """Every one is watched until it ends; one that takes too long is abandoned, and counted until then.

    When as many abandoned ones are alive as there are slots, the worker is worn out: it must make room for another.
    """

    def __init__(self, *, slots: int, telemetry: StopTelemetry) -> None:
        self._slots = slots
        self._telemetry = telemetry
        self._in_time: dict[RunningAttempt, asyncio.TimerHandle] = {}
        self._abandoned: dict[RunningAttempt, None] = {}
        self.worn_out = asyncio.Event()

    def __len__(self) -> int:
        """Return how many handlers run on."""
        return len(self._in_time) + len(self._abandoned)

    def __iter__(self) -> Iterator[RunningAttempt]:
        """Iterate over a copy."""
        return iter((*self._in_time, *self._abandoned))

    @property
    def in_time(self) -> int:
        """Return how many may still end by themselves soon."""
        return len(self._in_time)

    def add(self, attempt: RunningAttempt, ended: Callable[[], None]) -> None:
        """Watch an attempt whose handler was told to end; `ended` is called when it has."""
        loop = asyncio.get_running_loop()
        self._in_time[attempt] = loop.call_later(ABANDON_SECONDS, self._abandon, attempt)
        attempt.when_handler_ends = partial(self._end, attempt, ended)

    def _abandon(self, attempt: RunningAttempt) -> None:
        del self._in_time[attempt]
        self._abandoned[attempt] = None
        attempt.cancel_handler()
        alive = len(self._abandoned)
        self._telemetry.handler_abandoned(attempt.started.job, alive=alive)
        if alive >= self._slots and not self.worn_out.is_set():
            self._telemetry.worn_out(alive=alive)
            self.worn_out.set()

    def _end(self, attempt: RunningAttempt, ended: Callable[[], None]) -> None:
        attempt.when_handler_ends = ended
        if attempt in self._abandoned:
            del self._abandoned[attempt]
            self._telemetry.abandoned_handler_ended(attempt.started.job, alive=len(self._abandoned))
        else:
            self._in_time.pop(attempt).cancel()
        ended()
