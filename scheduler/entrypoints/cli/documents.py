"""What `--json` prints: the fields of the wire under their own names, times as RFC 3339, spans in seconds."""

from collections.abc import Mapping
from datetime import datetime

from scheduler.adapters.grpc.client_views import (
    AttemptView,
    ErrorGroupView,
    EventView,
    JobView,
    QueueStatsView,
    QueueView,
    SubmittedJob,
)

Document = Mapping[str, object]


def rfc3339(at: datetime | None) -> str | None:
    """Write a time."""
    return None if at is None else at.isoformat().replace("+00:00", "Z")


def submitted_document(job: SubmittedJob) -> Document:
    """Show what became of a submission."""
    return {"job_id": job.job_id, "created": job.created}


def listed_document(job: JobView) -> Document:
    """Show a job as lists know it: without payload and result."""
    return {
        "job_id": job.job_id,
        "state": job.state,
        "type": job.type,
        "priority": job.priority,
        "attempts": job.attempts,
        "max_attempts": job.max_attempts,
        "losses": job.losses,
        "version": job.version,
        "last_error": job.last_error,
        "worker_id": job.worker_id,
        "labels": dict(job.labels),
        "created_at": rfc3339(job.created_at),
        "updated_at": rfc3339(job.updated_at),
        "run_at": rfc3339(job.run_at),
        "started_at": rfc3339(job.started_at),
        "finished_at": rfc3339(job.finished_at),
        "progress": job.progress,
        "progress_message": job.progress_message,
    }


def job_document(job: JobView) -> Document:
    """Show all of a job; payload and result are JSON texts, byte for byte."""
    return {**listed_document(job), "payload_json": job.payload, "result_json": job.result}


def event_document(event: EventView) -> Document:
    """Show a change."""
    return {
        "job_id": event.job_id,
        "state": event.state,
        "message": event.message,
        "timestamp": rfc3339(event.at),
        "attempts": event.attempts,
        "version": event.version,
        "last_error": event.last_error,
        "progress": event.progress,
        "progress_message": event.progress_message,
    }


def attempt_document(attempt: AttemptView) -> Document:
    """Show an attempt."""
    return {
        "fence": attempt.fence,
        "number": attempt.number,
        "worker_id": attempt.worker_id,
        "started_at": rfc3339(attempt.started_at),
        "finished_at": rfc3339(attempt.finished_at),
        "outcome": attempt.outcome or "RUNNING",
        "error": attempt.error,
    }


def error_group_document(group: ErrorGroupView) -> Document:
    """Show a kind of error."""
    return {
        "error_fingerprint": group.fingerprint,
        "type": group.type,
        "sample_error": group.sample_error,
        "sample_job_id": group.sample_job_id,
        "count": group.count,
        "count_capped": group.count_capped,
        "failed": group.failed,
        "dead_letters": group.dead_letters,
        "first_seen": rfc3339(group.first_seen),
        "last_seen": rfc3339(group.last_seen),
    }


def queue_stats_document(stats: QueueStatsView) -> Document:
    """Show how full the queues are."""
    return {
        "queues": [_queue_document(queue) for queue in stats.queues],
        "processing": stats.processing,
        "scheduled": stats.scheduled,
        "retrying": stats.retrying,
        "dead_letters": stats.dead_letters,
    }


def _queue_document(queue: QueueView) -> Document:
    oldest = queue.oldest_age
    return {
        "priority": queue.priority,
        "depth": queue.depth,
        "oldest_age": None if oldest is None else oldest.total_seconds(),
    }
