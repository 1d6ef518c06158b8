"""Time that passes as ever, and can be skipped."""

import time
from datetime import timedelta


class SkippingTime:
    """Both readings that a SystemClock is made of, moved on by what was skipped."""

    def __init__(self) -> None:
        self._skipped = 0.0

    def skip(self, by: timedelta) -> None:
        """Let so much time pass at once."""
        self._skipped += by.total_seconds()

    def time_of_day(self) -> float:
        """Return seconds since 1970."""
        return time.time() + self._skipped

    def monotonic(self) -> float:
        """Return seconds since some moment."""
        return time.monotonic() + self._skipped
