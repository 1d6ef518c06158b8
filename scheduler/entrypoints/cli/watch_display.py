"""How a watched job looks while it is on its way."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from scheduler.adapters.grpc.client_views import EventView
from scheduler.domain.state import FINAL_STATES, JobState
from scheduler.domain.text import printable
from scheduler.entrypoints.cli.documents import event_document
from scheduler.entrypoints.cli.output import console, print_document, print_line
from scheduler.entrypoints.cli.tables import plain_table, state_text
from scheduler.entrypoints.cli.text import moment

Show = Callable[[EventView], None]
_CAUSED_BY_ERROR = frozenset({JobState.RETRYING, JobState.FAILED, JobState.DEADLETTER})


@contextmanager
def watch_display(job_id: str, *, as_json: bool) -> Iterator[Show]:
    """Give a function that shows an event: as JSON, as a line, or on a live screen where there is a terminal."""
    screen = console()
    if as_json:
        yield lambda event: print_document(event_document(event))
    elif not screen.is_terminal:
        yield _print_event
    else:
        with _live(job_id, screen) as show:
            yield show


def _print_event(event: EventView) -> None:
    print_line(f"{moment(event.at)} {event.job_id} v{event.version} {_what_happened(event)}")


def _what_happened(event: EventView) -> str:
    """Return the message, with the error that led here, rather than one from before."""
    error = f": {event.last_error}" if event.state in _CAUSED_BY_ERROR and event.last_error else ""
    return printable(event.message + error)


@contextmanager
def _live(job_id: str, screen: Console) -> Iterator[Show]:
    events: list[EventView] = []
    with Live(Spinner("dots", text=job_id), console=screen, refresh_per_second=10) as live:

        def show(event: EventView) -> None:
            if events and events[-1].version == event.version:
                events.pop()  # progress of the same state
            events.append(event)
            live.update(_picture(events), refresh=True)

        yield show


def _picture(events: list[EventView]) -> RenderableType:
    last = events[-1]
    status = Text.assemble(last.job_id, " ", state_text(last.state))
    parts: list[RenderableType] = [_transitions(events)]
    if last.progress:
        parts.append(_progress(last))
    if last.state not in FINAL_STATES:
        parts.append(Spinner("dots", text=status))
    return Group(*parts)


def _transitions(events: list[EventView]) -> Table:
    table = plain_table()
    for name in ("TIME", "VERSION", "STATE"):
        table.add_column(name, no_wrap=True)
    table.add_column("WHAT HAPPENED")
    for event in events:
        table.add_row(moment(event.at), str(event.version), state_text(event.state), _what_happened(event))
    return table


def _progress(event: EventView) -> Table:
    row = Table.grid(padding=(0, 1))
    row.add_row(ProgressBar(total=100, completed=event.progress, width=40), f"{int(event.progress)} %")
    return row
