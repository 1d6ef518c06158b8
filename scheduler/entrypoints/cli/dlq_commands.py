"""The desk for dead letters: `dlq list` and `dlq show`, beside `dlq requeue` and `dlq purge`."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.entrypoints.cli.dlq_bulk import purge, requeue
from scheduler.entrypoints.cli.dlq_options import UNKNOWN, TypeFilter, parse_fingerprint
from scheduler.entrypoints.cli.failures import print_error, reported
from scheduler.entrypoints.cli.options import DEFAULT_ADDRESS, Address, AsJson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scheduler.adapters.grpc.client import SchedulerClient
    from scheduler.adapters.grpc.client_views import AttemptView, ErrorGroupView, JobView

_FINGERPRINT = re.compile(rf"[0-9a-fA-F]{{16}}|{UNKNOWN}")


def build_desk() -> typer.Typer:
    """Put the commands together."""
    desk = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="Look through dead letters and act on them.")
    for name, command in (("list", list_groups), ("show", show), ("requeue", requeue), ("purge", purge)):
        desk.command(name)(reported(command))
    return desk


def list_groups(
    job_type: TypeFilter = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100, help="How many kinds at most.")] = 20,
    address: Address = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> None:
    """List what jobs died of, one line for each kind of error, the one seen last first; counts stop at 100,000."""
    from scheduler.entrypoints.cli.calls import call
    from scheduler.entrypoints.cli.documents import error_group_document
    from scheduler.entrypoints.cli.output import print_document, print_table
    from scheduler.entrypoints.cli.tables import error_group_table

    found = call(address, lambda client: client.error_groups(job_type=job_type or "", limit=limit))
    if as_json:
        for group in found.groups:
            print_document(error_group_document(group))
    else:
        print_table(error_group_table(found.groups))
    if found.more:
        words = "there are more kinds: --limit shows up to 100, --type those of one type"
        print_error({"warning": words} if as_json else words)


def show(
    target: Annotated[str, typer.Argument(metavar="FINGERPRINT|JOB_ID", help="A kind of error, or a job.")],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many jobs of the kind at most.")] = 20,
    address: Address = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> None:
    """Show one kind of error with its newest jobs, or one job with its payload, error and history."""
    if _FINGERPRINT.fullmatch(target):
        _show_group(target, limit, address, as_json=as_json)
    else:
        _show_job(target, address, as_json=as_json)


def _show_group(fingerprint: str, limit: int, address: str, *, as_json: bool) -> None:
    from scheduler.entrypoints.cli.calls import call
    from scheduler.entrypoints.cli.documents import error_group_document, listed_document
    from scheduler.entrypoints.cli.output import print_document, print_line, print_table
    from scheduler.entrypoints.cli.tables import error_group_details, job_table

    group, jobs = call(address, lambda client: _read_group(client, fingerprint, limit))
    if as_json:
        print_document({**error_group_document(group), "jobs": [listed_document(job) for job in jobs]})
    else:
        print_table(error_group_details(group))
        print_line("")
        print_table(job_table(jobs))


async def _read_group(
    client: "SchedulerClient", fingerprint: str, limit: int
) -> "tuple[ErrorGroupView, Sequence[JobView]]":
    from contextlib import aclosing

    from scheduler.adapters.grpc.client_errors import ClientError
    from scheduler.application.dto import JobFilter

    found = await client.error_groups(fingerprint=fingerprint)
    if not found.groups:
        raise ClientError("NOT_FOUND", f"no job has died of {fingerprint}")
    wanted = JobFilter(error_fingerprint=parse_fingerprint(fingerprint))
    jobs = list["JobView"]()
    async with aclosing(client.list(wanted, page_size=min(limit, 1000))) as listed:
        async for job in listed:
            jobs.append(job)
            if len(jobs) == limit:
                break
    return found.groups[0], jobs


def _show_job(job_id: str, address: str, *, as_json: bool) -> None:
    from scheduler.entrypoints.cli.calls import call
    from scheduler.entrypoints.cli.documents import attempt_document, job_document
    from scheduler.entrypoints.cli.output import print_document, print_line, print_table
    from scheduler.entrypoints.cli.tables import attempt_table, job_details

    async def read(client: "SchedulerClient") -> "tuple[JobView, Sequence[AttemptView]]":
        return await client.get(job_id), await client.attempts(job_id)

    job, attempts = call(address, read)
    if as_json:
        print_document({**job_document(job), "attempts": [attempt_document(attempt) for attempt in attempts]})
    else:
        print_table(job_details(job))
        print_line("")
        print_table(attempt_table(attempts))
