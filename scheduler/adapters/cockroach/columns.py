"""From batches to columns: what each statement that writes many rows is given."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from scheduler.adapters.cockroach.arrays import microseconds, numbers, texts, times, uuids, words
from scheduler.application.dto import Change, NewJob, ProgressNote
from scheduler.domain.progress import Progress

SHARDS: Final = 8

Columns = Mapping[str, str]


def shard_of(job_id: UUID) -> int:
    """Return the shard of a job: sweeps read all of them, writes spread over them."""
    return (job_id.int >> 120) % SHARDS


def new_job_columns(batch: Sequence[NewJob]) -> Columns:
    """Return the parameters of add_jobs.sql, in the order of the ids."""
    news = sorted(batch, key=lambda new: new.job.id)
    jobs = [new.job for new in news]
    policies = [job.retry_policy for job in jobs]
    labels = [(key, value, job.created_at, job.id) for job in jobs for key, value in job.labels.items()]
    return {
        "id": uuids([job.id for job in jobs]),
        "shard": numbers([shard_of(job.id) for job in jobs]),
        "type": texts([job.type for job in jobs]),
        "priority": words([job.priority for job in jobs]),
        "payload": texts([new.payload for new in news]),
        "idempotency_key": texts([job.idempotency_key for job in jobs]),
        "request_hash": texts([job.request_hash for job in jobs]),
        "op_id": uuids([job.op_id for job in jobs]),
        "max_attempts": numbers([job.max_attempts for job in jobs]),
        "timeout_us": numbers([microseconds(job.timeout) for job in jobs]),
        "retry_initial_us": numbers([microseconds(policy.initial) for policy in policies]),
        "retry_max_backoff_us": numbers([microseconds(policy.max_backoff) for policy in policies]),
        "retry_multiplier": numbers([policy.multiplier for policy in policies]),
        "retry_jitter": numbers([policy.jitter for policy in policies]),
        "labels": texts([labels_text(job.labels) for job in jobs]),
        "created_at": times([job.created_at for job in jobs]),
        "state": words([job.state for job in jobs]),
        "version": numbers([job.version for job in jobs]),
        "attempts": numbers([job.attempts for job in jobs]),
        "losses": numbers([job.losses for job in jobs]),
        "run_at": times([job.run_at for job in jobs]),
        "queued_at": times([job.queued_at for job in jobs]),
        "updated_at": times([job.updated_at for job in jobs]),
        "started_at": times([job.started_at for job in jobs]),
        "finished_at": times([job.finished_at for job in jobs]),
        "worker_id": uuids([job.worker_id for job in jobs]),
        "last_outcome": words([job.last_outcome for job in jobs]),
        "last_error": texts([job.last_error for job in jobs]),
        "error_fingerprint": texts([job.error_fingerprint for job in jobs]),
        "traceparent": texts([None if new.trace is None else new.trace.traceparent for new in news]),
        "tracestate": texts([None if new.trace is None else new.trace.state for new in news]),
        **label_columns(labels),
    }


def change_columns(batch: Sequence[Change]) -> Columns:
    """Return the parameters of apply_changes.sql, in the order of the ids, in which all batches lock rows."""
    changes = sorted(batch, key=lambda change: change.job.id)
    jobs = [change.job for change in changes]
    ended = [change.ended for change in changes if change.ended is not None]
    return {
        "id": uuids([job.id for job in jobs]),
        "version": numbers([job.version for job in jobs]),
        "before_op_id": uuids([change.before_op_id for change in changes]),
        "op_id": uuids([change.op_id for change in changes]),
        "state": words([job.state for job in jobs]),
        "attempts": numbers([job.attempts for job in jobs]),
        "losses": numbers([job.losses for job in jobs]),
        "run_at": times([job.run_at for job in jobs]),
        "queued_at": times([job.queued_at for job in jobs]),
        "updated_at": times([job.updated_at for job in jobs]),
        "started_at": times([job.started_at for job in jobs]),
        "finished_at": times([job.finished_at for job in jobs]),
        "worker_id": uuids([job.worker_id for job in jobs]),
        "last_outcome": words([job.last_outcome for job in jobs]),
        "last_error": texts([job.last_error for job in jobs]),
        "error_fingerprint": texts([job.error_fingerprint for job in jobs]),
        **progress_columns([job.progress for job in jobs]),
        "payload": texts([change.payload for change in changes]),
        "result": texts([change.result for change in changes]),
        "ended_job_id": uuids([attempt.id.job_id for attempt in ended]),
        "ended_fence": numbers([attempt.id.fence for attempt in ended]),
        "ended_number": numbers([attempt.number for attempt in ended]),
        "ended_worker_id": uuids([attempt.worker_id for attempt in ended]),
        "ended_started_at": times([attempt.started_at for attempt in ended]),
        "ended_finished_at": times([attempt.finished_at for attempt in ended]),
        "ended_outcome": words([attempt.outcome for attempt in ended]),
        "ended_error": texts([attempt.error for attempt in ended]),
    }


def note_columns(batch: Sequence[ProgressNote]) -> Columns:
    """Return the parameters of note_progress.sql, in the order of the ids."""
    notes = sorted(batch, key=lambda note: note.attempt_id.job_id)
    return {
        "id": uuids([note.attempt_id.job_id for note in notes]),
        "version": numbers([note.attempt_id.fence for note in notes]),
        "op_id": uuids([note.op_id for note in notes]),
        **progress_columns([note.progress for note in notes]),
    }


def progress_columns(notes: Sequence[Progress | None]) -> Columns:
    """Return the parameters that say how far attempts are; all NULL where nothing was said."""
    return {
        "progress": numbers([None if note is None else note.percent for note in notes]),
        "progress_message": texts([None if note is None else note.message for note in notes]),
        "progress_at": times([None if note is None else note.at for note in notes]),
    }


def doomed_columns(doomed: Sequence[tuple[UUID, UUID, datetime, Mapping[str, str]]]) -> Columns:
    """Return the parameters of purge.sql: for each job its id, last write, time of creation and labels."""
    labels = ((key, value, created_at, job_id) for job_id, _, created_at, held in doomed for key, value in held.items())
    return {
        "ids": uuids(job_id for job_id, *_ in doomed),
        "op_ids": uuids(op_id for _, op_id, *_ in doomed),
        **label_columns(labels),
    }


def label_columns(labels: Iterable[tuple[str, str, datetime, UUID]]) -> Columns:
    """Return the parameters that name rows of job_labels."""
    rows = list(labels)
    return {
        "label_key": texts([key for key, _, _, _ in rows]),
        "label_value": texts([value for _, value, _, _ in rows]),
        "label_created_at": times([created_at for _, _, created_at, _ in rows]),
        "label_job_id": uuids([job_id for _, _, _, job_id in rows]),
    }


def labels_text(labels: Mapping[str, str]) -> str:
    """Write labels as the JSON object that the store keeps."""
    return json.dumps(dict(labels), ensure_ascii=False) if labels else "{}"
