"""The process's clock, which follows the store's."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Lock

from scheduler.application.ports.clock import AdjustableClock

MAX_ROUND_TRIP = 0.2
"""Seconds; a slower reading says too little about when it was taken."""
MAX_SLEWED = 2.0
"""Seconds; a difference beyond it is no drift but a wrong clock, and is followed at once."""
SLEW_RATE = 0.05
"""Share of the time that passes by which the clock may run faster or slower while it closes a difference."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SystemClock(AdjustableClock):
    """Runs on the monotonic clock, set and steered by readings of the store's; the process's threads share it.

    Until the first quick reading it follows the time of day, as far as slow readings do not prove that wrong. The first
    quick reading sets it at once. A later one proves that the store's clock stood between two readings of this one, and
    moves it into that interval and no further: by how much a reply was late says nothing. What differs by more than
    MAX_SLEWED seconds is followed at once, forwards or backwards; smaller differences are closed at SLEW_RATE, and
    between two such steps it never goes backwards.
    """

    def __init__(
        self, *, time_of_day: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._monotonic = monotonic
        self._lock = Lock()
        self._is_set = False
        # The clock reads `offset + monotonic`; at `since` the offset began to move from `offset` towards `target`.
        self._since = monotonic()
        self._offset = self._target = time_of_day() - self._since
        self._latest = _EPOCH

    def now(self) -> datetime:
        """Return the store's current time as far as it is known, aware, in UTC."""
        with self._lock:
            moment = self._monotonic()
            reading = _EPOCH + timedelta(seconds=moment + self._offset_at(moment))
            self._latest = max(self._latest, reading)  # sums of floats may round down by a microsecond
            return self._latest

    def monotonic(self) -> float:
        """Return seconds that never jump."""
        return self._monotonic()

    def observe(self, store_now: datetime, *, sent: float, received: float) -> None:
        """Note a reading of the store's clock, taken at some moment between two `monotonic` ones."""
        store = (store_now - _EPOCH).total_seconds()
        least, most = store - received, store - sent
        with self._lock:
            if received - sent > MAX_ROUND_TRIP:
                if not self._is_set:
                    self._keep_between(least, most)
            elif not self._is_set:
                self._steer_towards((least + most) / 2)
            else:
                self._steer_towards(max(least, min(most, self._target)))

    def _keep_between(self, least: float, most: float) -> None:
        """Take from a slow reading what it proves: a host may be wrong by years."""
        self._offset = self._target = max(least, min(most, self._offset))
        self._latest = _EPOCH

    def _steer_towards(self, offset: float) -> None:
        moment = self._monotonic()
        current = self._offset_at(moment)
        at_once = not self._is_set or abs(offset - current) > MAX_SLEWED
        self._since = moment
        self._target = offset
        self._offset = offset if at_once else current
        if at_once:
            self._is_set = True
            self._latest = _EPOCH

    def _offset_at(self, moment: float) -> float:
        step = SLEW_RATE * max(0.0, moment - self._since)
        return self._offset + max(-step, min(step, self._target - self._offset))
