"""What clients read of jobs, in SQL."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Final
from uuid import UUID

from psycopg.rows import TupleRow

from scheduler.adapters.cockroach.arrays import words
from scheduler.adapters.cockroach.columns import labels_text
from scheduler.adapters.cockroach.rows import JobRows
from scheduler.adapters.cockroach.transaction import Transactions
from scheduler.application.dto import COUNT_CAP, HISTORY_CAP, JobFilter, JobPage, ListCursor, QueueDepth, QueueStats
from scheduler.application.ports.job_reader import JobReader
from scheduler.application.ports.telemetry import FaultTelemetry
from scheduler.domain.attempt import Attempt, AttemptOutcome
from scheduler.domain.ids import AttemptId, Fence, JobId
from scheduler.domain.priority import Priority
from scheduler.domain.state import JobState

FIRST_MOMENT: Final = datetime.min.replace(tzinfo=UTC)
LAST_MOMENT: Final = datetime.max.replace(tzinfo=UTC)
LEAST_ID: Final = JobId(UUID(int=0))
COUNTED_STATES: Final = (JobState.RUNNING, JobState.SCHEDULED, JobState.RETRYING, JobState.DEADLETTER)


class SqlJobReader(JobReader):
    """Reads lists, histories and counts; `count_cap` bounds each count."""

    def __init__(self, transactions: Transactions, telemetry: FaultTelemetry, *, count_cap: int = COUNT_CAP) -> None:
        self._transactions = transactions
        self._rows = JobRows(telemetry)
        self._count_cap = count_cap

    async def list_jobs(self, job_filter: JobFilter, *, limit: int, after: ListCursor | None) -> JobPage:
        """Return up to `limit` matching jobs, newest first, strictly older than `after`."""
        parameters = {**_filter_parameters(job_filter, after), "limit": limit + 1}
        rows = await self._transactions.run(_list_statement(job_filter), **parameters)
        page = list(self._rows.with_rows(rows[:limit]))
        return JobPage(jobs=[job for job, _ in page], next=_cursor(rows, limit))

    async def attempts(self, job_id: JobId) -> Sequence[Attempt] | None:
        """Return the job's newest attempts by fence, the running one included."""
        rows = await self._transactions.run("attempts", id=job_id, limit=HISTORY_CAP)
        return [*_ended(rows[::-1]), *_running(rows[0])] if rows else None

    async def queue_stats(self) -> QueueStats:
        """Count jobs per state and queue."""
        rows = await self._transactions.run(
            "queue_stats", priorities=words(Priority), states=words(COUNTED_STATES), cap=self._count_cap
        )
        counts = {name: (count, oldest) for name, count, oldest in rows}
        return QueueStats(
            queues={priority: _depth(*counts[priority]) for priority in Priority},
            running=counts[JobState.RUNNING][0],
            scheduled=counts[JobState.SCHEDULED][0],
            retrying=counts[JobState.RETRYING][0],
            dead_letters=counts[JobState.DEADLETTER][0],
        )


def _depth(depth: int, oldest: datetime | None) -> QueueDepth:
    return QueueDepth(depth=depth, oldest_queued_at=oldest)


def _list_statement(job_filter: JobFilter) -> str:
    """Choose the index to walk: labels are rare, so is every state but SUCCEEDED, in which most jobs end."""
    if job_filter.labels:
        return "list_jobs_by_label"
    if job_filter.error_fingerprint is not None:
        return "list_jobs_by_error"
    if job_filter.state not in {None, JobState.SUCCEEDED}:
        return "list_jobs_by_state"
    if job_filter.type is not None:
        return "list_jobs_by_type"
    return "list_jobs" if job_filter.state is None else "list_jobs_by_state"


def _filter_parameters(job_filter: JobFilter, after: ListCursor | None) -> Mapping[str, object]:
    key, value = next(iter(job_filter.labels.items()), ("", ""))
    bounds = [(job_filter.created_before or LAST_MOMENT, LEAST_ID)]
    if after is not None:
        bounds.append((after.created_at, after.job_id))
    before_at, before_id = min(bounds)
    return {
        "state": job_filter.state,
        "type": job_filter.type,
        "priority": job_filter.priority,
        "error_fingerprint": job_filter.error_fingerprint,
        "labels": labels_text(job_filter.labels),
        "label_key": key,
        "label_value": value,
        "since": job_filter.created_after or FIRST_MOMENT,
        "before_at": before_at,
        "before_id": before_id,
    }


def _cursor(rows: Sequence[TupleRow], limit: int) -> ListCursor | None:
    """Point behind the page's last row, corrupt or not, when there are more."""
    if not 0 < limit < len(rows):
        return None
    last = rows[limit - 1]
    return ListCursor(created_at=last[_CREATED_AT], job_id=last[0])


_CREATED_AT: Final = 17
"""The place of created_at in sql/job_columns.sql."""


def _ended(rows: Sequence[TupleRow]) -> Iterator[Attempt]:
    for job_id, *_, fence, number, worker_id, started_at, finished_at, outcome, error in rows:
        if fence is not None:
            yield Attempt(
                id=AttemptId(job_id, fence),
                number=number,
                worker_id=worker_id,
                started_at=started_at,
                finished_at=finished_at,
                outcome=AttemptOutcome(outcome),
                error=error,
            )


def _running(row: TupleRow) -> Iterator[Attempt]:
    job_id, state, version, attempts, worker_id, started_at = islice(row, 6)
    if state == JobState.RUNNING:
        yield Attempt(id=AttemptId(job_id, Fence(version)), number=attempts, worker_id=worker_id, started_at=started_at)
