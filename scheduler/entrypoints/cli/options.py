"""Options and arguments that several commands share."""

from typing import Annotated

import typer

from scheduler.domain.priority import Priority
from scheduler.domain.state import JobState

DEFAULT_ADDRESS = "127.0.0.1:8081"

Address = Annotated[
    str,
    # Declared here rather than read by Settings, whose import alone takes longer than a call.
    typer.Option("--address", envvar="SCHEDULER_ADDRESS", metavar="HOST:PORT", help="Where the API answers."),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON document a line, with the field names of the wire.")
]
JobIdArgument = Annotated[str, typer.Argument(metavar="JOB_ID", help="The job's id.")]
JobIdArguments = Annotated[list[str], typer.Argument(metavar="JOB_ID...", help="The jobs' ids.")]
PriorityOption = Annotated[
    Priority, typer.Option("--priority", "-p", case_sensitive=False, help="How urgent the job is.")
]
PriorityFilter = Annotated[
    Priority | None, typer.Option("--priority", "-p", case_sensitive=False, help="Only of this priority.")
]
StateFilter = Annotated[
    JobState | None, typer.Option("--state", "-s", case_sensitive=False, help="Only in this state.")
]
LabelsOption = Annotated[
    list[str] | None,
    typer.Option("--label", "-l", metavar="KEY=VALUE", help="A label; may be given many times."),
]
Handlers = Annotated[
    list[str] | None,
    typer.Option(
        "--handlers",
        metavar="MODULE",
        help="A module with functions decorated with @handler, as in shop.tasks; may be given many times.",
        show_default="WORKER_HANDLERS",
    ),
]
MAX_VERSION = 2**63 - 1
"""The largest number that the wire holds."""
MOMENT_HELP = "ISO 8601 (UTC unless it has an offset), or from now: +30s, -2h."
