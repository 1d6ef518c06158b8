"""The jobs, in SQL."""

from collections.abc import Mapping, Sequence

from psycopg.rows import TupleRow

from scheduler.adapters.cockroach.arrays import texts, uuids
from scheduler.adapters.cockroach.columns import change_columns, new_job_columns, note_columns
from scheduler.adapters.cockroach.rows import JOB_COLUMNS, JobRows
from scheduler.adapters.cockroach.transaction import Transactions
from scheduler.application.dto import Change, JobDetails, NewJob, ProgressNote, TakenName
from scheduler.application.ports.job_repository import JobRepository
from scheduler.application.ports.telemetry import FaultTelemetry
from scheduler.domain.ids import JobId
from scheduler.domain.job import Job
from scheduler.domain.trace import TraceContext


class SqlJobRepository(JobRepository):
    """Stores jobs and their transitions, a batch to a statement."""

    def __init__(self, transactions: Transactions, telemetry: FaultTelemetry) -> None:
        self._transactions = transactions
        self._rows = JobRows(telemetry)

    async def find_taken(self, ids: Sequence[JobId], keys: Sequence[str]) -> Sequence[TakenName]:
        """Return the stored jobs that hold one of these ids or idempotency keys."""
        rows = await self._transactions.run("find_taken", ids=uuids(ids), keys=texts(keys))
        return list({row[0]: _taken(row) for row in rows}.values())

    async def add_all(self, jobs: Sequence[NewJob]) -> None:
        """Store all jobs, or none."""
        if jobs:
            await self._transactions.run("add_jobs", **new_job_columns(jobs))

    async def load(self, ids: Sequence[JobId], *, strict: bool = False) -> Mapping[JobId, Job]:
        """Return the jobs that exist."""
        rows = await self._read("load", ids, strict=strict)
        return {job.id: job for job in self._rows.jobs(rows)}

    async def load_details(self, ids: Sequence[JobId], *, strict: bool = False) -> Mapping[JobId, JobDetails]:
        """Return the jobs that exist, with payloads and results."""
        rows = await self._read("load_details", ids, strict=strict)
        return {job.id: _details(job, row) for job, row in self._rows.with_rows(rows)}

    async def apply(self, changes: Sequence[Change]) -> frozenset[JobId]:
        """Store each transition whose job is still as it was read; return the ids of those that are stored."""
        if not changes:
            return frozenset()
        rows = await self._transactions.run("apply_changes", **change_columns(changes))
        return frozenset([row[0] for row in rows])

    async def note_progress(self, notes: Sequence[ProgressNote]) -> frozenset[JobId]:
        """Store each note whose attempt is RUNNING, by its fence and its start, and has no later one."""
        if not notes:
            return frozenset()
        rows = await self._transactions.run("note_progress", **note_columns(notes))
        return frozenset([row[0] for row in rows])

    async def _read(self, name: str, ids: Sequence[JobId], *, strict: bool) -> Sequence[TupleRow]:
        if not ids:
            return []
        rows = await self._transactions.run(name, ids=uuids(ids))
        if strict:
            for row in rows:
                self._rows.job(row)  # raises when it is corrupt
        return rows


def _taken(row: TupleRow) -> TakenName:
    job_id, idempotency_key, request_hash, created_op_id = row
    return TakenName(
        job_id=job_id, idempotency_key=idempotency_key, request_hash=request_hash, created_op_id=created_op_id
    )


def _details(job: Job, row: TupleRow) -> JobDetails:
    payload, result, traceparent, tracestate = row[JOB_COLUMNS:]
    trace = None if traceparent is None else TraceContext.parse(traceparent, tracestate or "")
    return JobDetails(job=job, payload=payload, result=result, trace=trace)
