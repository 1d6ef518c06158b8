"""From rows to jobs. A row that no job can be is a fault of the store's keeper: reported, and kept from the others."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from psycopg.rows import TupleRow

from scheduler.application.errors import StoreRejectedError
from scheduler.application.ports.telemetry import FaultTelemetry
from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.errors import InvalidFieldError
from scheduler.domain.ids import JobId, OpId, WorkerId
from scheduler.domain.job import Job
from scheduler.domain.priority import Priority
from scheduler.domain.progress import Progress
from scheduler.domain.retry import RetryPolicy
from scheduler.domain.state import JobState

JOB_COLUMNS: Final = 30
"""In sql/job_columns.sql; a statement may select more behind them."""
CORRUPT_ROW: Final = "corrupt_job_row"
POLICIES_KEPT: Final = 256

_STATES: Final = MappingProxyType({member.value: member for member in JobState})
_PRIORITIES: Final = MappingProxyType({member.value: member for member in Priority})
_OUTCOMES: Final[Mapping[str | None, AttemptOutcome | None]] = MappingProxyType(
    {None: None, **{member.value: member for member in AttemptOutcome}}
)


class JobRows:
    """Makes jobs of rows that begin with the columns of sql/job_columns.sql."""

    def __init__(self, telemetry: FaultTelemetry) -> None:
        self._telemetry = telemetry
        self._policy: Callable[[int, int, float, float], RetryPolicy] = lru_cache(POLICIES_KEPT)(_policy)

    def jobs(self, rows: Iterable[TupleRow]) -> Iterator[Job]:
        """Yield the jobs, in order. A corrupt row is reported and left out, so that no sweep stops at it."""
        return (job for job, _ in self.with_rows(rows))

    def with_rows(self, rows: Iterable[TupleRow]) -> Iterator[tuple[Job, TupleRow]]:
        """Yield each job with its row; a corrupt row is reported and left out."""
        for row in rows:
            try:
                job = self.job(row)
            except StoreRejectedError as error:
                self._telemetry.fault(CORRUPT_ROW, error)
            else:
                yield job, row

    def job(self, row: TupleRow) -> Job:
        """Return the job. Raises StoreRejectedError when the row is corrupt."""
        try:
            return self._job(*row[:JOB_COLUMNS])
        except (InvalidFieldError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise StoreRejectedError(f"the row of job {row[0]} is corrupt: {error!r}") from error

    def _job(
        self,
        job_id: JobId, type_: str, priority: str, max_attempts: int, timeout_us: int,
        initial_us: int, max_backoff_us: int, multiplier: float, jitter: float,
        request_hash: str, idempotency_key: str | None, labels: str,
        state: str, version: int, attempts: int, losses: int,
        run_at: datetime, created_at: datetime, updated_at: datetime,
        queued_at: datetime | None, started_at: datetime | None, finished_at: datetime | None,
        worker_id: WorkerId | None, last_outcome: str | None, last_error: str, error_fingerprint: str,
        progress: float | None, progress_message: str | None, progress_at: datetime | None, op_id: OpId,
    ) -> Job:  # fmt: skip
        return Job(
            id=job_id,
            type=type_,
            priority=_PRIORITIES[priority],
            max_attempts=max_attempts,
            timeout=timedelta(microseconds=timeout_us),
            retry_policy=self._policy(initial_us, max_backoff_us, multiplier, jitter),
            request_hash=request_hash,
            idempotency_key=idempotency_key,
            labels=_labels(labels),
            state=_STATES[state],
            version=version,
            op_id=op_id,
            attempts=attempts,
            losses=losses,
            run_at=run_at,
            created_at=created_at,
            updated_at=updated_at,
            queued_at=queued_at,
            started_at=started_at,
            finished_at=finished_at,
            worker_id=worker_id,
            last_outcome=_OUTCOMES[last_outcome],
            last_error=last_error,
            error_fingerprint=error_fingerprint,
            progress=_progress(progress, progress_message, progress_at),
        )


def _policy(initial_us: int, max_backoff_us: int, multiplier: float, jitter: float) -> RetryPolicy:
    return RetryPolicy(
        initial=timedelta(microseconds=initial_us),
        max_backoff=timedelta(microseconds=max_backoff_us),
        multiplier=multiplier,
        jitter=jitter,
    )


def _progress(percent: float | None, message: str | None, at: datetime | None) -> Progress | None:
    if percent is None or message is None or at is None:
        return None
    return Progress(percent=percent, message=message, at=at)


def _labels(text: str) -> Mapping[str, str]:
    if text == "{}":
        return {}
    labels: Mapping[str, str] = json.loads(text)
    return dict(labels)
