"""What the commands of the desk for dead letters share: the options that say which jobs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.domain.errors import InvalidFieldError
from scheduler.domain.priority import Priority
from scheduler.domain.state import DEAD_STATES, JobState
from scheduler.entrypoints.cli.options import MOMENT_HELP
from scheduler.entrypoints.cli.parsing import parse_labels, parse_moment

if TYPE_CHECKING:
    from scheduler.application.dead_letters import EndedFilter

UNKNOWN = "unknown"
"""The kind of errors that came before there were fingerprints."""

Fingerprint = Annotated[
    str | None, typer.Option("--fingerprint", "-f", help="Only with this kind of error; `dlq list` shows them.")
]
TypeFilter = Annotated[str | None, typer.Option("--type", "-t", help="Only of this type.")]
ErrorText = Annotated[str | None, typer.Option("--error", metavar="TEXT", help="Only if the error contains this text.")]
Since = Annotated[
    datetime | None, typer.Option(parser=parse_moment, metavar="TIME", help=f"Ended then or later. {MOMENT_HELP}")
]
Until = Annotated[datetime | None, typer.Option(parser=parse_moment, metavar="TIME", help="Ended before this time.")]
States = Annotated[
    list[JobState] | None,
    typer.Option("--state", "-s", case_sensitive=False, help="In this state instead of FAILED and DEADLETTER."),
]
Everything = Annotated[bool, typer.Option("--all", help="All of them, where nothing else says which.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only count them.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=0, help="How many at most, the oldest first; 0: all.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def parse_fingerprint(text: str | None) -> str | None:
    """Read the name of a kind of error; the unknown one has the empty fingerprint."""
    return "" if text == UNKNOWN else text or None


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """Which jobs a command is about, as its options say."""

    fingerprint: str | None
    job_type: str | None
    priority: Priority | None
    labels: Sequence[str] | None
    error: str | None
    since: datetime | None
    until: datetime | None
    states: Sequence[JobState] | None

    @property
    def is_empty(self) -> bool:
        """Tell whether no option says which."""
        narrow = (self.fingerprint, self.job_type, self.labels, self.error, self.states)
        return not any(narrow) and (self.priority, self.since, self.until) == (None, None, None)

    def to_filter(self, *, everything: bool) -> "EndedFilter":
        """Make the filter; raise BadParameter when it would take all jobs and nobody asked for all."""
        from scheduler.application.dead_letters import EndedFilter

        if self.is_empty and not everything:
            raise typer.BadParameter("say which jobs, by --fingerprint or another filter, or --all")
        try:
            return EndedFilter(
                states=frozenset(self.states or DEAD_STATES),
                priority=self.priority,
                type=self.job_type,
                labels=parse_labels(self.labels or []),
                finished_after=self.since,
                finished_before=self.until,
                error_text=self.error,
                error_fingerprint=parse_fingerprint(self.fingerprint),
            )
        except InvalidFieldError as error:
            raise typer.BadParameter(error.reason, param_hint="--state") from error
