"""Where results go: JSON lines for scripts, tables for people, without colours or cut columns unless on a terminal."""

import json
import sys
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

_PIPE_WIDTH = 100_000
"""Wider than any row: what is piped is never wrapped or cut."""


def print_document(document: Mapping[str, object]) -> None:
    """Print one JSON document on one line, at once; in ASCII, which every terminal and locale can pass on."""
    print(json.dumps(document), flush=True)  # noqa: T201 - this is the output


def print_line(line: str) -> None:
    """Print one line, at once."""
    print(line, flush=True)  # noqa: T201 - this is the output


def print_table(table: Table) -> None:
    """Print a table; in a pipe without the blanks that fill its rows up, which may be as long as a payload."""
    screen = console()
    if screen.is_terminal:
        screen.print(table)
        return
    with screen.capture() as captured:
        screen.print(table)
    for line in captured.get().removesuffix("\n").split("\n"):
        print_line(line.rstrip())


def console() -> Console:
    """Make the console that writes to standard output."""
    return Console(
        width=None if sys.stdout.isatty() else _PIPE_WIDTH, markup=False, highlight=False, emoji=False, soft_wrap=False
    )
