"""Time, as an argument of everything else."""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The time that all processes agree on, and a clock for durations."""

    @abstractmethod
    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""

    @abstractmethod
    def monotonic(self) -> float:
        """Return seconds that never jump, for durations within this process."""


class AdjustableClock(Clock, Protocol):
    """A clock that follows the store's."""

    @abstractmethod
    def observe(self, store_now: datetime, *, sent: float, received: float) -> None:
        """Note a reading of the store's clock, taken between two `monotonic` moments; slow readings are dropped."""
