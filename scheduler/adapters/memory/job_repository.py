"""The jobs, in memory."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from scheduler.adapters.memory.storable import check_change, check_new_job
from scheduler.adapters.memory.store import JobRow, MemoryData, MemoryStore
from scheduler.application.dto import Change, JobDetails, NewJob, ProgressNote, TakenName
from scheduler.application.errors import DuplicateJobsError
from scheduler.application.ports.job_repository import JobRepository
from scheduler.domain.ids import JobId
from scheduler.domain.job import Job
from scheduler.domain.state import JobState


class MemoryJobRepository(JobRepository):
    """Stores jobs and their transitions in a MemoryStore."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def find_taken(self, ids: Sequence[JobId], keys: Sequence[str]) -> Sequence[TakenName]:
        """Return the stored jobs that hold one of these ids or idempotency keys."""
        async with self._store.statement() as data:
            holders = [*ids, *(data.keys[key] for key in keys if key in data.keys)]
            return [_taken(row) for row in _rows(data, holders)]

    async def add_all(self, jobs: Sequence[NewJob]) -> None:
        """Store all jobs, or none."""
        for new in jobs:
            check_new_job(new)
        async with self._store.statement() as data:
            if _any_taken(data, jobs):
                raise DuplicateJobsError
            for new in jobs:
                data.put(
                    JobRow(
                        job=new.job,
                        payload=new.payload,
                        created_op_id=new.job.op_id,
                        trace=new.trace,
                    )
                )

    async def load(self, ids: Sequence[JobId], *, strict: bool = False) -> Mapping[JobId, Job]:  # noqa: ARG002 - no object here is corrupt
        """Return the jobs that exist."""
        async with self._store.statement() as data:
            return {row.job.id: row.job for row in _rows(data, ids)}

    async def load_details(self, ids: Sequence[JobId], *, strict: bool = False) -> Mapping[JobId, JobDetails]:  # noqa: ARG002 - no object here is corrupt
        """Return the jobs that exist, with payloads and results."""
        async with self._store.statement() as data:
            return {row.job.id: _details(row) for row in _rows(data, ids)}

    async def apply(self, changes: Sequence[Change]) -> frozenset[JobId]:
        """Store each transition whose job is still as it was read; return the ids of those that are stored."""
        for change in changes:
            check_change(change)
        async with self._store.statement() as data:
            return frozenset(change.job.id for change in changes if _apply(data, change))

    async def note_progress(self, notes: Sequence[ProgressNote]) -> frozenset[JobId]:
        """Store each note whose attempt is RUNNING, by its fence and its start, and has no later one."""
        async with self._store.statement() as data:
            return frozenset(note.attempt_id.job_id for note in notes if _note(data, note))


def _rows(data: MemoryData, ids: Sequence[JobId]) -> Iterator[JobRow]:
    return (data.jobs[job_id] for job_id in dict.fromkeys(ids) if job_id in data.jobs)


def _details(row: JobRow) -> JobDetails:
    return JobDetails(job=row.job, payload=row.payload, result=row.result, trace=row.trace)


def _taken(row: JobRow) -> TakenName:
    return TakenName(
        job_id=row.job.id,
        idempotency_key=row.job.idempotency_key,
        request_hash=row.job.request_hash,
        created_op_id=row.created_op_id,
    )


def _any_taken(data: MemoryData, jobs: Sequence[NewJob]) -> bool:
    ids = [new.job.id for new in jobs]
    keys = [new.job.idempotency_key for new in jobs if new.job.idempotency_key is not None]
    twice = len(set(ids)) < len(ids) or len(set(keys)) < len(keys)
    return twice or any(job_id in data.jobs for job_id in ids) or any(key in data.keys for key in keys)


def _apply(data: MemoryData, change: Change) -> bool:
    row = data.jobs.get(change.job.id)
    if row is None:
        return False
    if row.job.version == change.job.version:
        return row.job.op_id == change.op_id
    if row.job.version != change.job.version - 1 or row.job.op_id != change.before_op_id:
        return False
    data.put(_changed(row, change))
    if change.ended is not None:
        data.history.setdefault(change.job.id, {}).setdefault(change.ended.id.fence, change.ended)
    return True


def _changed(row: JobRow, change: Change) -> JobRow:
    return replace(
        row,
        job=change.stored_job,
        payload=row.payload if change.payload is None else change.payload,
        result=row.result if change.result is None else change.result,
    )


def _note(data: MemoryData, note: ProgressNote) -> bool:
    row = data.jobs.get(note.attempt_id.job_id)
    if row is None or row.job.state is not JobState.RUNNING or row.job.attempt_id != note.attempt_id:
        return False
    if row.job.op_id != note.op_id:
        return False
    if row.job.progress is not None and row.job.progress.at > note.progress.at:
        return False
    data.put(replace(row, job=row.job.with_progress(note.progress)))
    return True
