"""A clock that moves when it is told to."""

from datetime import UTC, datetime, timedelta

from scheduler.application.ports.clock import AdjustableClock

_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class FixedClock(AdjustableClock):
    """Stands still until `advance` or `jump_to`; notes what it was told of the store's clock and does not follow it."""

    def __init__(self, now: datetime = _BEGIN) -> None:
        self._now = now
        self._monotonic = 0.0
        self.observed: list[datetime] = []

    def now(self) -> datetime:
        """Return the time it stands at."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds that it was advanced."""
        return self._monotonic

    def observe(self, store_now: datetime, *, sent: float, received: float) -> None:  # noqa: ARG002 - the port's own
        """Note the reading."""
        self.observed.append(store_now)

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        self._now += by
        self._monotonic += by.total_seconds()

    def jump_to(self, now: datetime) -> None:
        """Set the time of day, as an operator would; no time passes."""
        self._now = now
