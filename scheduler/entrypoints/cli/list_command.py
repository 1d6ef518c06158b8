"""The command `list`."""

from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.entrypoints.cli.dlq_options import Fingerprint, parse_fingerprint
from scheduler.entrypoints.cli.failures import print_error
from scheduler.entrypoints.cli.options import (
    DEFAULT_ADDRESS,
    MOMENT_HELP,
    Address,
    AsJson,
    LabelsOption,
    PriorityFilter,
    StateFilter,
)
from scheduler.entrypoints.cli.parsing import parse_labels, parse_moment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from scheduler.adapters.grpc.client import SchedulerClient
    from scheduler.adapters.grpc.client_views import JobView

_PAGE = 200
"""Jobs a table is laid out for at a time."""


def list_jobs(
    state: StateFilter = None,
    priority: PriorityFilter = None,
    job_type: Annotated[str | None, typer.Option("--type", "-t", help="Only of this type.")] = None,
    labels: LabelsOption = None,
    created_after: Annotated[
        datetime | None, typer.Option(parser=parse_moment, metavar="TIME", help=f"At this time or later. {MOMENT_HELP}")
    ] = None,
    created_before: Annotated[
        datetime | None, typer.Option(parser=parse_moment, metavar="TIME", help="Before this time.")
    ] = None,
    fingerprint: Fingerprint = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="How many at most; 0: all.")] = 50,
    address: Address = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> None:
    """List jobs that pass all filters, newest first."""
    from scheduler.application.dto import JobFilter
    from scheduler.entrypoints.cli.calls import call

    job_filter = JobFilter(
        state=state,
        priority=priority,
        type=job_type,
        labels=parse_labels(labels or []),
        created_after=created_after,
        created_before=created_before,
        error_fingerprint=parse_fingerprint(fingerprint),
    )

    async def body(client: "SchedulerClient") -> None:
        page_size = min(limit + 1, _PAGE) if limit else _PAGE
        async with aclosing(client.list(job_filter, page_size=page_size)) as jobs:
            show = _print_documents if as_json else _print_table
            if await show(jobs, limit):
                words = f"there are more: --limit {limit * 10} shows more of them, --limit 0 all"
                print_error({"warning": words} if as_json else words)

    call(address, body)


async def _print_documents(jobs: "AsyncIterator[JobView]", limit: int) -> bool:
    """Print up to `limit` jobs as they come; tell whether there are more."""
    from scheduler.entrypoints.cli.documents import listed_document
    from scheduler.entrypoints.cli.output import print_document

    shown = 0
    async for job in jobs:
        if limit and shown == limit:
            return True
        print_document(listed_document(job))
        shown += 1
    return False


async def _print_table(jobs: "AsyncIterator[JobView]", limit: int) -> bool:
    """Print up to `limit` jobs, some at a time; tell whether there are more."""
    from scheduler.entrypoints.cli.output import print_table
    from scheduler.entrypoints.cli.tables import job_table

    rows, shown = list["JobView"](), 0
    more = False
    async for job in jobs:
        if limit and shown + len(rows) == limit:
            more = True
            break
        rows.append(job)
        if len(rows) == _PAGE:
            print_table(job_table(rows, with_header=not shown))
            shown, rows = shown + len(rows), []
    if rows or not shown:
        print_table(job_table(rows, with_header=not shown))
    return more
