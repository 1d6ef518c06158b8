"""What was measured, as a table."""

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

WIDTH = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured figure; `goal` is met above it for rates, below it for durations."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    raw: float | None = None
    """The same work by bare SQL, in the same unit."""

    @property
    def is_rate(self) -> bool:
        """Tell whether more is better."""
        return self.unit.endswith("/s")

    @property
    def verdict(self) -> str:
        """Say whether the goal was met."""
        if self.goal is None:
            return ""
        met = self.value >= self.goal if self.is_rate else self.value <= self.goal
        return "met" if met else "missed"


def print_report(figures: list[Figure]) -> None:
    """Print all figures."""
    table = Table("figure", "measured", "goal", "", "bare SQL", "ours / bare", box=None)
    for figure in figures:
        sign = "≥" if figure.is_rate else "≤"
        table.add_row(
            figure.name,
            _number(figure.value, figure.unit),
            "" if figure.goal is None else f"{sign} {_number(figure.goal, figure.unit)}",
            figure.verdict,
            "" if figure.raw is None else _number(figure.raw, figure.unit),
            "" if figure.raw is None else f"{figure.value / figure.raw:.2f}",
        )
    Console(width=WIDTH).print(table)


def _number(value: float, unit: str) -> str:
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"  # noqa: PLR2004 - three digits
