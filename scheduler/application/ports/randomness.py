"""Chance."""

from abc import abstractmethod
from typing import Protocol


class Randomness(Protocol):
    """Draws for jitter."""

    @abstractmethod
    def draw(self) -> float:
        """Return a number, uniform in [0, 1)."""
