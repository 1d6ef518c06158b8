"""Commands about jobs whose ids are known: get, cancel, requeue, attempts."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.entrypoints.cli.failures import FAILED, complain
from scheduler.entrypoints.cli.options import (
    DEFAULT_ADDRESS,
    MAX_VERSION,
    Address,
    AsJson,
    JobIdArgument,
    JobIdArguments,
)
from scheduler.entrypoints.cli.parsing import read_payload

if TYPE_CHECKING:
    from scheduler.adapters.grpc.client import SchedulerClient

Line = tuple[Mapping[str, object], str]
"""A result for scripts, and the same for people."""


def get(job_id: JobIdArgument, address: Address = DEFAULT_ADDRESS, as_json: AsJson = False) -> None:
    """Show one job, with its payload and result."""
    from scheduler.entrypoints.cli.calls import call
    from scheduler.entrypoints.cli.documents import job_document
    from scheduler.entrypoints.cli.output import print_document, print_table
    from scheduler.entrypoints.cli.tables import job_details

    job = call(address, lambda client: client.get(job_id))
    if as_json:
        print_document(job_document(job))
    else:
        print_table(job_details(job))


def attempts(job_id: JobIdArgument, address: Address = DEFAULT_ADDRESS, as_json: AsJson = False) -> None:
    """Show a job's history: each attempt, its worker and how it ended."""
    from scheduler.entrypoints.cli.calls import call
    from scheduler.entrypoints.cli.documents import attempt_document
    from scheduler.entrypoints.cli.output import print_document, print_table
    from scheduler.entrypoints.cli.tables import attempt_table

    history = call(address, lambda client: client.attempts(job_id))
    if not as_json:
        print_table(attempt_table(history))
        return
    for attempt in history:
        print_document(attempt_document(attempt))


def cancel(job_ids: JobIdArguments, address: Address = DEFAULT_ADDRESS, as_json: AsJson = False) -> int:
    """Cancel jobs, running ones too. Exit code 1 when one had already ended otherwise."""
    refused: list[str] = []

    async def cancel_one(client: "SchedulerClient", job_id: str) -> Line:
        cancelled = await client.cancel(job_id)
        if not cancelled:
            refused.append(job_id)
        words = "cancelled" if cancelled else "not cancelled: it has already ended"
        return {"job_id": job_id, "cancelled": cancelled}, f"{job_id} {words}"

    code = _for_each(job_ids, address, cancel_one, as_json=as_json)
    return FAILED if refused else code


def requeue(
    job_ids: JobIdArguments,
    payload: Annotated[
        str | None, typer.Option(metavar="JSON|@FILE|-", help="A new payload; without it the old one stays.")
    ] = None,
    expected_version: Annotated[
        int, typer.Option(min=0, max=MAX_VERSION, help="Only if the job still has this version; 0: whatever it has.")
    ] = 0,
    address: Address = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> int:
    """Run jobs again that ended FAILED, DEADLETTER or CANCELLED."""
    if expected_version and len(job_ids) > 1:
        raise typer.BadParameter("goes with one job only", param_hint="--expected-version")
    text = read_payload(payload) or ""

    async def requeue_one(client: "SchedulerClient", job_id: str) -> Line:
        job = await client.requeue(job_id, payload=text, expected_version=expected_version)
        document = {"job_id": job_id, "version": job.version, "state": job.state}
        return document, f"{job_id} {job.state} at version {job.version}"

    return _for_each(job_ids, address, requeue_one, as_json=as_json)


def _for_each(
    job_ids: Sequence[str],
    address: str,
    change: "Callable[[SchedulerClient, str], Awaitable[Line]]",
    *,
    as_json: bool,
) -> int:
    """Change job after job, whatever became of those before; return 1 if the service refused one."""
    from scheduler.adapters.grpc.client_errors import ClientError
    from scheduler.entrypoints.cli.calls import call
    from scheduler.entrypoints.cli.output import print_document, print_line

    async def change_all(client: "SchedulerClient") -> int:
        code = 0
        for job_id in job_ids:
            try:
                document, line = await change(client, job_id)
            except ClientError as error:
                if error.status == "UNAVAILABLE":
                    raise
                code = complain(error, as_json=as_json)
            else:
                print_document(document) if as_json else print_line(line)
        return code

    return call(address, change_all)
