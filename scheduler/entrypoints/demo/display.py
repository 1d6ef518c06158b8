"""How the demo looks on its way: bars on a terminal, a line a second elsewhere."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from scheduler.domain.state import FINAL_STATES, JobState
from scheduler.entrypoints.cli.tables import STATE_STYLES, state_text
from scheduler.entrypoints.demo.follow import Progress

LINE_SECONDS = 1.0


@contextmanager
def progress_display(screen: Console, total: int) -> Iterator[Progress]:
    """Give a function that shows the counts per state."""
    if not screen.is_terminal:
        yield _Lines(screen, total).show
        return
    with Live(console=screen, auto_refresh=False) as live:
        yield lambda counts: live.update(_bars(counts, total), refresh=True)


def _bars(counts: Mapping[JobState, int], total: int) -> Table:
    table = Table.grid(padding=(0, 1))
    for state in JobState:
        style = STATE_STYLES[state]
        bar = ProgressBar(total=total, completed=counts.get(state, 0), width=50, complete_style=style)
        bar.finished_style = style
        table.add_row(state_text(state), bar, str(counts.get(state, 0)))
    return table


class _Lines:
    def __init__(self, screen: Console, total: int) -> None:
        self._screen = screen
        self._total = total
        self._began = time.monotonic()
        self._next = 0.0

    def show(self, counts: Mapping[JobState, int]) -> None:
        """Print a line unless one was printed within the last second; always when all have ended."""
        elapsed = time.monotonic() - self._began
        ended = sum(counts.get(state, 0) for state in FINAL_STATES)
        if elapsed < self._next and ended < self._total:
            return
        self._next = elapsed + LINE_SECONDS
        by_state = ", ".join(f"{counts[state]} {state.lower()}" for state in JobState if counts.get(state))
        self._screen.print(f"{elapsed:5.1f} s  {ended} of {self._total} ended: {by_state}")
