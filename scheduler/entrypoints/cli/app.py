"""All commands, put together."""

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from scheduler.entrypoints.cli.dlq_commands import build_desk
from scheduler.entrypoints.cli.failures import Command, reported
from scheduler.entrypoints.cli.handlers_command import handlers
from scheduler.entrypoints.cli.health_command import health
from scheduler.entrypoints.cli.job_commands import attempts, cancel, get, requeue
from scheduler.entrypoints.cli.list_command import list_jobs
from scheduler.entrypoints.cli.process_commands import api, demo, migrate, reaper, up, worker
from scheduler.entrypoints.cli.queues_command import queues
from scheduler.entrypoints.cli.submit_command import submit
from scheduler.entrypoints.cli.watch_command import watch
from scheduler.entrypoints.collector import collect_rarely

_PROCESSES = "Run the service"
_CLIENT = "Use the service"
_LAST_STREAM = 2


def main() -> None:
    """Run the command that the arguments name, and exit."""
    collect_rarely()
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a character is no reason to fail.
            stream.reconfigure(errors="replace")
    build()(prog_name="scheduler")


def _open_closed_streams() -> None:
    """Give streams that whoever started us has closed a place to go, before a socket or a file gets their numbers."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= _LAST_STREAM:
        pass
    os.close(number)
    nowhere = Path(os.devnull)
    sys.stdout, sys.stderr = sys.stdout or nowhere.open("w"), sys.stderr or nowhere.open("w")


def build() -> typer.Typer:
    """Put the commands together."""
    app = typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_scheduler)
    for command in _process_commands():
        app.command(rich_help_panel=_PROCESSES)(reported(command))
    for command in _client_commands():
        name = "list" if command is list_jobs else None
        app.command(name, rich_help_panel=_CLIENT)(reported(command))
    app.add_typer(build_desk(), name="dlq", rich_help_panel=_CLIENT)
    return app


def _process_commands() -> Sequence[Command[...]]:
    return up, demo, api, worker, reaper, migrate, handlers, health


def _client_commands() -> Sequence[Command[...]]:
    return submit, get, watch, list_jobs, cancel, requeue, attempts, queues


def _version(wanted: bool) -> None:
    if wanted:
        from scheduler.entrypoints.process import program_version

        typer.echo(f"scheduler {program_version()}")
        raise typer.Exit


def _scheduler(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Schedule jobs over gRPC, and lose none.

    Start with `scheduler up`, then `scheduler submit noop --watch` in another terminal.
    """
