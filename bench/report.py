"""The figures as a table."""

from collections.abc import Sequence
from statistics import median

from rich.console import Console
from rich.table import Table

from bench.figures import Summary

WIDTH = 140


def print_report(summaries: Sequence[Summary]) -> None:
    """Print all figures; the spread of the rounds where there are several."""
    several = any(len(summary.rounds) > 1 for summary in summaries)
    table = Table(box=None)
    table.add_column("figure")
    for heading in ["median" if several else "measured", *(["min", "max"] if several else []), "goal"]:
        table.add_column(heading, justify="right")
    table.add_column("")
    for heading in ("bare SQL", "ours / bare"):
        table.add_column(heading, justify="right")
    for summary in summaries:
        spread = [_number(min(summary.values)), _number(max(summary.values))] if several else []
        table.add_row(*_row(summary, spread))
    Console(width=WIDTH).print(table)


def _row(summary: Summary, spread: Sequence[str]) -> Sequence[str]:
    figure = summary.first
    sign = "≥" if figure.is_rate else "≤"
    return [
        figure.name,
        f"{_number(median(summary.values))} {figure.unit}",
        *spread,
        "" if figure.goal is None else f"{sign} {_number(figure.goal)}",
        summary.verdict,
        "" if summary.raw is None else _number(summary.raw),
        "" if summary.ratio is None else f"{summary.ratio:.2f}",
    ]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits
