"""The commands `dlq requeue` and `dlq purge`: many jobs, first counted and asked about, then changed call by call."""

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.domain.errors import SchedulerError
from scheduler.entrypoints.cli import dlq_options as which
from scheduler.entrypoints.cli.job_commands import requeue as requeue_one
from scheduler.entrypoints.cli.options import DEFAULT_ADDRESS, Address, AsJson, LabelsOption, PriorityFilter

if TYPE_CHECKING:
    from scheduler.adapters.grpc.client import SchedulerClient
    from scheduler.adapters.grpc.client_views import BulkResult

FEW = 20
"""So many are requeued without a question."""
MOST = 100_000
"""Counted in a dry run."""
PER_CALL = 2_000
"""Changed by one call, so that little is unknown when one ends early; with a rate, what takes two seconds."""

Step = Callable[["SchedulerClient", int, str, bool], Awaitable["BulkResult"]]
"""One call, for at most so many jobs from a cursor on, for real or as a dry run."""


def requeue(
    job_id: Annotated[str | None, typer.Argument(metavar="JOB_ID", help="One job; without it, by filters.")] = None,
    payload: Annotated[str | None, typer.Option(metavar="JSON|@FILE|-", help="A new payload for the one job.")] = None,
    fingerprint: which.Fingerprint = None,
    job_type: which.TypeFilter = None,
    priority: PriorityFilter = None,
    labels: LabelsOption = None,
    error: which.ErrorText = None,
    since: which.Since = None,
    until: which.Until = None,
    states: which.States = None,
    everything: which.Everything = False,
    dry_run: which.DryRun = False,
    limit: which.Limit = 0,
    rate: Annotated[int, typer.Option(min=0, max=1_000_000, help="Jobs a second; 0: as fast as it goes.")] = 0,
    yes: which.Yes = False,
    address: Address = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> int:
    """Run dead letters again: all that pass the filters, the oldest first, or one job, with a new payload if given."""
    wanted = which.Which(
        fingerprint=fingerprint,
        job_type=job_type,
        priority=priority,
        labels=labels,
        error=error,
        since=since,
        until=until,
        states=states,
    )
    if job_id is not None:
        if not wanted.is_empty or everything or dry_run or limit or rate:
            raise typer.BadParameter("goes without filters, --all, --dry-run, --limit and --rate", param_hint="JOB_ID")
        return requeue_one([job_id], payload=payload, address=address, as_json=as_json)
    if payload is not None:
        raise typer.BadParameter("goes with one JOB_ID only", param_hint="--payload")
    job_filter = wanted.to_filter(everything=everything)

    async def step(client: "SchedulerClient", most: int, cursor: str, is_dry: bool) -> "BulkResult":
        return await client.requeue_jobs(job_filter, limit=most, rate=rate, dry_run=is_dry, cursor=cursor)

    terms = BulkTerms(
        verb="requeue",
        done="requeued",
        limit=limit,
        unasked=sys.maxsize if yes else FEW,
        per_call=min(PER_CALL, 2 * rate or PER_CALL),
    )
    return run(terms, step, address, dry_run=dry_run, as_json=as_json)


def purge(
    fingerprint: which.Fingerprint = None,
    job_type: which.TypeFilter = None,
    priority: PriorityFilter = None,
    labels: LabelsOption = None,
    error: which.ErrorText = None,
    since: which.Since = None,
    until: which.Until = None,
    states: which.States = None,
    everything: which.Everything = False,
    dry_run: which.DryRun = False,
    limit: which.Limit = 0,
    yes: which.Yes = False,
    address: Address = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> int:
    """Delete dead letters for good, with their history, before their retention ends."""
    job_filter = which.Which(
        fingerprint=fingerprint,
        job_type=job_type,
        priority=priority,
        labels=labels,
        error=error,
        since=since,
        until=until,
        states=states,
    ).to_filter(everything=everything)
    if not (yes or dry_run or _is_terminal()):
        raise typer.BadParameter("is needed where nobody can be asked", param_hint="--yes")

    async def step(client: "SchedulerClient", most: int, cursor: str, is_dry: bool) -> "BulkResult":
        return await client.purge_jobs(job_filter, limit=most, dry_run=is_dry, cursor=cursor)

    terms = BulkTerms(verb="purge", done="purged", limit=limit, unasked=sys.maxsize if yes else 0)
    return run(terms, step, address, dry_run=dry_run, as_json=as_json)


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkTerms:
    """What is done, to how many at most (0: all), to how many without a question, and to how many by one call."""

    verb: str
    done: str
    limit: int
    unasked: int
    per_call: int = PER_CALL


class _Total:
    """What the calls so far have done; `cursor` is empty when nothing is left."""

    def __init__(self) -> None:
        self.count = 0
        self.cursor = ""

    async def count_up(self, client: "SchedulerClient", step: Step, terms: BulkTerms) -> None:
        """Count what would be done, without doing it."""
        await self._add_up(client, step, min(terms.limit or MOST, MOST), MOST, dry_run=True)

    async def do_all(self, client: "SchedulerClient", step: Step, terms: BulkTerms) -> None:
        """Do everything, or as much as the limit allows."""
        await self._add_up(client, step, terms.limit, terms.per_call, dry_run=False)

    async def _add_up(self, client: "SchedulerClient", step: Step, limit: int, per_call: int, *, dry_run: bool) -> None:
        while True:
            most = min(limit - self.count, per_call) if limit else per_call
            result = await step(client, most, self.cursor, dry_run)
            self.count += result.count
            self.cursor = result.cursor
            if not self.cursor or (limit and self.count >= limit):
                return


def run(terms: BulkTerms, step: Step, address: str, *, dry_run: bool, as_json: bool) -> int:
    """Count and ask where that is due, then change; say what was done even when something ends it early."""
    from scheduler.entrypoints.cli.calls import call

    total = _Total()
    if dry_run:
        call(address, lambda client: total.count_up(client, step, terms))
        _print(f"would {terms.verb}", total, is_dry=True, as_json=as_json)
        return 0
    if terms.unasked < MOST and _is_terminal():
        _ask(terms, step, address)
    try:
        call(address, lambda client: total.do_all(client, step, terms))
    except (SchedulerError, KeyboardInterrupt) as error:
        if total.count or isinstance(error, KeyboardInterrupt):
            _print(f"{terms.done} at least", total, is_dry=False, as_json=as_json)
        raise
    _print(terms.done, total, is_dry=False, as_json=as_json)
    return 0


def _ask(terms: BulkTerms, step: Step, address: str) -> None:
    """Go on when there are few jobs, or a person says so."""
    from scheduler.entrypoints.cli.calls import call

    expected = _Total()
    call(address, lambda client: expected.count_up(client, step, terms))
    if expected.count > terms.unasked:
        typer.confirm(f"{terms.verb} {_jobs(expected, is_dry=not terms.limit)}?", abort=True, err=True)


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _jobs(total: _Total, *, is_dry: bool) -> str:
    more = " or more" if is_dry and total.cursor else ""
    return f"{total.count}{more} {'job' if total.count == 1 and not more else 'jobs'}"


def _print(words: str, total: _Total, *, is_dry: bool, as_json: bool) -> None:
    from scheduler.entrypoints.cli.output import print_document, print_line

    if as_json:
        print_document({"count": total.count, "more": bool(total.cursor), "dry_run": is_dry})
    else:
        print_line(f"{words} {_jobs(total, is_dry=is_dry)}")
