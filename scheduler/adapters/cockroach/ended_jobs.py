"""The desk for ended jobs, in SQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from psycopg.rows import TupleRow

from scheduler.adapters.cockroach.arrays import words
from scheduler.adapters.cockroach.columns import doomed_columns, labels_text
from scheduler.adapters.cockroach.job_reader import FIRST_MOMENT, LAST_MOMENT, LEAST_ID
from scheduler.adapters.cockroach.transaction import Transactions
from scheduler.application.dead_letters import (
    COUNTED_IN_ALL,
    EndedCursor,
    EndedFilter,
    EndedPage,
    ErrorGroup,
    ErrorGroups,
    FoundJob,
)
from scheduler.application.dto import COUNT_CAP
from scheduler.application.ports.ended_jobs import EndedJobs
from scheduler.domain.job import Job
from scheduler.domain.state import JobState

SCAN: Final = 2000
KINDS: Final = 1000
"""Looked at in a list of kinds, besides those of as many jobs that ended last in each state."""


class SqlEndedJobs(EndedJobs):
    """Looks at `scan` jobs at a time; `kinds` and `count_cap` bound the list of kinds of errors."""

    def __init__(
        self, transactions: Transactions, *, scan: int = SCAN, kinds: int = KINDS, count_cap: int = COUNT_CAP
    ) -> None:
        self._transactions = transactions
        self._scan = scan
        self._kinds = kinds
        self._count_cap = count_cap

    async def scan(self, job_filter: EndedFilter, *, after: EndedCursor | None) -> EndedPage:
        """Look at some jobs behind `after`; return those that match."""
        rows = await self._transactions.run(
            _scan_statement(job_filter), **_filter_parameters(job_filter, after), scan=self._scan
        )
        full = bool(rows) and rows[-1][_NUMBER] == self._scan
        return EndedPage(found=[_found(row) for row in rows if row[_MATCHES]], next=_cursor(rows[-1]) if full else None)

    async def error_groups(self, *, fingerprint: str | None, job_type: str | None, limit: int) -> ErrorGroups:
        """Return up to `limit` kinds of errors, the last seen first."""
        cap = min(self._count_cap, COUNTED_IN_ALL // limit)
        rows = await self._transactions.run(
            "error_groups",
            first=fingerprint or "",
            jumps=self._kinds if fingerprint is None else 1,
            newest=self._kinds if fingerprint is None else 0,
            type=job_type,
            limit=limit + 1,
            cap=cap,
        )
        groups = [group for group in (_group(row, cap) for row in rows) if fingerprint in {None, group.fingerprint}]
        return ErrorGroups(groups=groups[:limit], more=len(groups) > limit)

    async def delete(self, jobs: Sequence[Job]) -> int:
        """Delete those that no write has changed since; return how many."""
        if not jobs:
            return 0
        columns = doomed_columns([(job.id, job.op_id, job.created_at, job.labels) for job in jobs])
        [[count]] = await self._transactions.run("purge", **columns)
        return int(count)


def _scan_statement(job_filter: EndedFilter) -> str:
    if job_filter.error_fingerprint is not None:
        return "scan_ended_by_error"
    return "scan_ended_by_age" if JobState.SUCCEEDED in job_filter.states else "scan_ended"


_MATCHES: Final = 3
_NUMBER: Final = 4
"""The place among the jobs that were looked at, from 1."""


def _filter_parameters(job_filter: EndedFilter, after: EndedCursor | None) -> Mapping[str, object]:
    return {
        "states": words(sorted(job_filter.states)),
        "priority": job_filter.priority,
        "type": job_filter.type,
        "labels": labels_text(job_filter.labels),
        "created_after": job_filter.created_after or FIRST_MOMENT,
        "created_before": job_filter.created_before or LAST_MOMENT,
        "finished_after": job_filter.finished_after or FIRST_MOMENT,
        "finished_before": job_filter.finished_before or LAST_MOMENT,
        "error_text": job_filter.error_text or None,
        "error_fingerprint": job_filter.error_fingerprint,
        "after_at": after.at if after else _first_place(job_filter),
        "after_id": after.job_id if after else LEAST_ID,
    }


def _first_place(job_filter: EndedFilter) -> datetime:
    """Return where the walk begins, so that it does not look at what is too old to match."""
    by_age = _scan_statement(job_filter) == "scan_ended_by_age"
    return (job_filter.created_after if by_age else job_filter.finished_after) or FIRST_MOMENT


def _cursor(row: TupleRow) -> EndedCursor:
    return EndedCursor(at=row[2], job_id=row[0])


def _found(row: TupleRow) -> FoundJob:
    return FoundJob(version=row[1], cursor=_cursor(row))


def _group(row: TupleRow, cap: int) -> ErrorGroup:
    fingerprint, job_type, job_id, error, failed, dead_letters, first_seen, last_seen = row
    return ErrorGroup(
        fingerprint=fingerprint,
        type=job_type,
        sample_job_id=job_id,
        sample_error=error,
        failed=failed,
        dead_letters=dead_letters,
        is_capped=failed + dead_letters >= cap,
        first_seen=first_seen,
        last_seen=last_seen,
    )
