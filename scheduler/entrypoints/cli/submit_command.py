"""The command `submit`."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from scheduler.domain.ids import JobId
from scheduler.domain.priority import Priority
from scheduler.domain.retry import RetryPolicy
from scheduler.domain.submission import DEFAULT_MAX_ATTEMPTS, DEFAULT_TIMEOUT, Submission
from scheduler.entrypoints.cli.options import (
    DEFAULT_ADDRESS,
    MOMENT_HELP,
    Address,
    AsJson,
    LabelsOption,
    PriorityOption,
)
from scheduler.entrypoints.cli.parsing import parse_duration, parse_labels, parse_moment, read_payload

if TYPE_CHECKING:
    from scheduler.adapters.grpc.client import SchedulerClient
    from scheduler.adapters.grpc.client_views import SubmittedJob

_BATCH_JOBS = 1000
_BATCH_BYTES = 3 * 1024 * 1024
"""Below the 4 MiB that a request may hold."""
_JOB_BYTES = 16 * 1024
"""More than a job takes beside its payload, labels included."""


def submit(
    job_type: Annotated[str, typer.Argument(metavar="TYPE", help="The name of the handler, such as noop.")],
    payload: Annotated[
        str | None, typer.Option("--payload", "-d", metavar="JSON|@FILE|-", help="What the handler gets.")
    ] = None,
    priority: PriorityOption = Priority.DEFAULT,
    at: Annotated[
        datetime | None, typer.Option(parser=parse_moment, metavar="TIME", help=f"Not before. {MOMENT_HELP}")
    ] = None,
    timeout: Annotated[
        timedelta | None,
        typer.Option(parser=parse_duration, metavar="SPAN", help="How long one attempt may take.", show_default="5m"),
    ] = None,
    max_attempts: Annotated[int, typer.Option(help="How many attempts may start.")] = DEFAULT_MAX_ATTEMPTS,
    retry_initial: Annotated[
        timedelta | None,
        typer.Option(
            parser=parse_duration, metavar="SPAN", help="The wait after the first failure.", show_default="1s"
        ),
    ] = None,
    retry_max: Annotated[
        timedelta | None,
        typer.Option(parser=parse_duration, metavar="SPAN", help="The longest wait.", show_default="5m"),
    ] = None,
    idempotency_key: Annotated[
        str | None, typer.Option("--idempotency-key", "-k", help="A repeat with the same key makes no second job.")
    ] = None,
    labels: LabelsOption = None,
    job_id: Annotated[UUID | None, typer.Option("--id", help="The job's id, a UUID of your own.")] = None,
    count: Annotated[int, typer.Option("--count", "-c", min=1, help="How many such jobs.")] = 1,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow the job to its end, as `watch` does.")] = False,
    address: Address = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> int:
    """Submit a job and print its id; it is stored when the id appears."""
    from scheduler.adapters.grpc.fields import fields_of

    _require_one_job(count, job_id=job_id, idempotency_key=idempotency_key, watch=watch)
    with fields_of("job"):
        submission = Submission(
            type=job_type,
            priority=priority,
            payload=read_payload(payload) or None,
            idempotency_key=idempotency_key or None,
            max_attempts=max_attempts,
            timeout=DEFAULT_TIMEOUT if timeout is None else timeout,
            retry_policy=_retry_policy(retry_initial, retry_max),
            labels=parse_labels(labels or []),
            run_at=at,
        )
    jobs = _send(submission, JobId(job_id) if job_id else None, count, address=address, as_json=as_json)
    return _watch(jobs[0], address=address, as_json=as_json) if watch else 0


def _require_one_job(count: int, **options: object) -> None:
    if count == 1:
        return
    for name, value in options.items():
        if value:
            option = {"job_id": "--id"}.get(name, f"--{name.replace('_', '-')}")
            raise typer.BadParameter(f"goes with one job, not with {count}", param_hint=option)


def _retry_policy(initial: timedelta | None, longest: timedelta | None) -> RetryPolicy:
    defaults = RetryPolicy()
    first = defaults.initial if initial is None else initial
    most = max(first, defaults.max_backoff) if longest is None else longest
    return replace(defaults, initial=first, max_backoff=most)


def _send(
    submission: Submission, job_id: JobId | None, count: int, *, address: str, as_json: bool
) -> "Sequence[SubmittedJob]":
    """Submit `count` times, in batches where it is more than one; return the last batch."""
    from scheduler.application.use_cases.submit_jobs import SubmitCommand
    from scheduler.entrypoints.cli.calls import call

    async def body(client: "SchedulerClient") -> "Sequence[SubmittedJob]":
        if count == 1:
            jobs: Sequence[SubmittedJob] = [await client.submit(submission, job_id=job_id)]
            _print(jobs, as_json=as_json)
            return jobs
        jobs = []
        for size in _batches(count, submission.payload):
            jobs = await client.submit_many([SubmitCommand(submission=submission)] * size)
            _print(jobs, as_json=as_json)
        return jobs

    return call(address, body)


def _batches(count: int, payload: str | None) -> Iterator[int]:
    """Yield the sizes of requests that the service accepts."""
    size_of_one = _JOB_BYTES + len((payload or "").encode())
    largest = max(1, min(_BATCH_JOBS, _BATCH_BYTES // size_of_one))
    jobs = iter(range(count))
    while batch := len(list(islice(jobs, largest))):
        yield batch


def _print(jobs: "Sequence[SubmittedJob]", *, as_json: bool) -> None:
    from scheduler.entrypoints.cli.documents import submitted_document
    from scheduler.entrypoints.cli.output import print_document, print_line

    for job in jobs:
        if as_json:
            print_document(submitted_document(job))
        else:
            print_line(job.job_id if job.created else f"{job.job_id} (existed)")


def _watch(job: "SubmittedJob", *, address: str, as_json: bool) -> int:
    from scheduler.entrypoints.cli.watch_command import watch_job

    return watch_job(job.job_id, address=address, as_json=as_json)
