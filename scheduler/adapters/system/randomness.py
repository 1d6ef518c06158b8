"""Chance for jitter."""

import random

from scheduler.application.ports.randomness import Randomness


class SystemRandomness(Randomness):
    """Draws from a generator of its own, seeded by the operating system."""

    def __init__(self) -> None:
        self._random = random.Random()  # noqa: S311 - jitter is no secret

    def draw(self) -> float:
        """Return a number, uniform in [0, 1)."""
        return self._random.random()
