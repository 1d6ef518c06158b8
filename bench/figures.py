"""What was measured, and what it is held against."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured figure; `goal` is met above it for rates, below it for durations."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    raw: float | None = None
    """The same work by bare SQL in the same round, in the same unit."""

    @property
    def is_rate(self) -> bool:
        """Tell whether more is better."""
        return self.unit.endswith("/s")


@dataclass(frozen=True, slots=True)
class Summary:
    """The same figure from several rounds."""

    rounds: Sequence[Figure]

    @property
    def first(self) -> Figure:
        """Return the figure of the first round, for its name, unit and goal."""
        return self.rounds[0]

    @property
    def values(self) -> Sequence[float]:
        """Return what each round measured."""
        return [figure.value for figure in self.rounds]

    @property
    def raw(self) -> float | None:
        """Return the median of bare SQL."""
        raws = [figure.raw for figure in self.rounds if figure.raw is not None]
        return median(raws) if raws else None

    @property
    def ratio(self) -> float | None:
        """Return the median of ours / bare, each from one round: a busy machine slows both."""
        ratios = [figure.value / figure.raw for figure in self.rounds if figure.raw is not None]
        return median(ratios) if ratios else None

    @property
    def verdict(self) -> str:
        """Say whether the median meets the goal."""
        goal = self.first.goal
        if goal is None:
            return ""
        value = median(self.values)
        return "met" if (value >= goal if self.first.is_rate else value <= goal) else "missed"


def summaries(rounds: Sequence[Sequence[Figure]]) -> Sequence[Summary]:
    """Bring together what the rounds measured, in the order of the first one."""
    return [Summary(figures) for figures in zip(*rounds, strict=True)]


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which that share of the sorted values lies."""
    return values[min(len(values) - 1, int(len(values) * share))]
