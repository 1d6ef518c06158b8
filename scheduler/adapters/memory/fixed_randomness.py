"""Chance, written down beforehand."""

from collections.abc import Sequence
from itertools import cycle

from scheduler.application.ports.randomness import Randomness


class FixedRandomness(Randomness):
    """Repeats the given draws; 0.5, the middle, which makes no jitter, when none are given."""

    def __init__(self, draws: Sequence[float] = (0.5,)) -> None:
        self._draws = cycle(draws)

    def draw(self) -> float:
        """Return the next draw."""
        return next(self._draws)
