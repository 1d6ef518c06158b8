"""Priorities, and the policies that say how many jobs of which priority a claim takes."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Priority(StrEnum):
    """How urgent a job is. Members are listed from the most to the least urgent."""

    CRITICAL = "CRITICAL"
    HIGH = "HIGH"
    DEFAULT = "DEFAULT"
    LOW = "LOW"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimPlan:
    """Take at most `limit` jobs: walk `quotas` in order and take up to that many from each queue."""

    limit: int
    quotas: Sequence[tuple[Priority, int]]


class ClaimOrder(Protocol):
    """Decides from which queues the next jobs come."""

    @abstractmethod
    def plan(self, limit: int, turn: int) -> ClaimPlan:
        """Plan a claim of `limit` jobs; `turn` counts the jobs that this worker asked for before."""


class StrictOrder(ClaimOrder):
    """A less urgent job starts only when no more urgent one waits."""

    def plan(self, limit: int, turn: int) -> ClaimPlan:  # noqa: ARG002 - the protocol's argument
        """Offer the whole limit to each queue, the most urgent first."""
        return ClaimPlan(limit=limit, quotas=[(priority, limit) for priority in Priority])


WEIGHTED_CYCLE: Sequence[Priority] = tuple(
    {"C": Priority.CRITICAL, "H": Priority.HIGH, "D": Priority.DEFAULT, "L": Priority.LOW}[letter]
    for letter in "CHCDCHCLCHCDCHC"
)
"""8:4:2:1 spread evenly: each priority comes up at least once in 15 picks, so LOW waits a bounded time."""


class WeightedOrder(ClaimOrder):
    """Shares 8:4:2:1, so that LOW always moves; what a queue leaves unused goes to the others."""

    def plan(self, limit: int, turn: int) -> ClaimPlan:
        """Give each queue its share of the next `limit` picks, then the rest in strict order."""
        picks = (WEIGHTED_CYCLE[(turn + step) % len(WEIGHTED_CYCLE)] for step in range(limit))
        shares = Counter(picks)
        fair = [(priority, shares[priority]) for priority in Priority if shares[priority]]
        rest = [(priority, limit) for priority in Priority]
        return ClaimPlan(limit=limit, quotas=[*fair, *rest])
