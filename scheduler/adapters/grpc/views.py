"""From what use cases return to answers."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from scheduler.adapters.grpc.commands import UNKNOWN_ERROR
from scheduler.adapters.grpc.enums import OUTCOME_NUMBERS, PRIORITY_NUMBERS, STATE_NUMBERS
from scheduler.adapters.grpc.pb import scheduler_pb2 as pb
from scheduler.adapters.grpc.times import from_datetime, from_timedelta
from scheduler.application.dead_letters import ErrorGroup, ErrorGroups
from scheduler.application.dto import JobDetails, QueueDepth, QueueStats, SubmitOutcome
from scheduler.domain.attempt import Attempt
from scheduler.domain.job import Job
from scheduler.domain.priority import Priority
from scheduler.domain.progress import Progress
from scheduler.domain.state import JobState

_WORDS: Mapping[JobState, str] = {
    JobState.SCHEDULED: "scheduled for {at}",
    JobState.QUEUED: "queued",
    JobState.RUNNING: "running, {attempt}{progress}",
    JobState.RETRYING: "retrying at {at} after {attempt}",
    JobState.SUCCEEDED: "succeeded, {attempt}",
    JobState.FAILED: "failed, {attempt}: no retry can help",
    JobState.DEADLETTER: "dead letter after {attempt}",
    JobState.CANCELLED: "cancelled",
}
_WORDS_AGAIN = "queued again after {attempt}"


def submit_response(outcome: SubmitOutcome) -> pb.SubmitJobResponse:
    """Answer for one submitted job."""
    return pb.SubmitJobResponse(job_id=str(outcome.job_id), created=outcome.created)


def submit_responses(outcomes: Sequence[SubmitOutcome]) -> pb.SubmitJobsResponse:
    """Answer for a batch."""
    return pb.SubmitJobsResponse(results=map(submit_response, outcomes))


def job_status(job: Job) -> pb.JobStatus:
    """Show a job without its payload and result."""
    return pb.JobStatus(
        job_id=str(job.id),
        state=STATE_NUMBERS[job.state],
        attempts=job.attempts,
        last_error=job.last_error,
        created_at=from_datetime(job.created_at),
        updated_at=from_datetime(job.updated_at),
        started_at=from_datetime(job.started_at) if job.started_at else None,
        finished_at=from_datetime(job.finished_at) if job.finished_at else None,
        type=job.type,
        priority=PRIORITY_NUMBERS[job.priority],
        max_attempts=job.max_attempts,
        run_at=from_datetime(job.run_at),
        version=job.version,
        worker_id=str(job.worker_id) if job.worker_id else "",
        labels=job.labels,
        losses=job.losses,
        progress=job.progress.percent if job.progress else 0.0,
        progress_message=job.progress.message if job.progress else "",
    )


def job_details(details: JobDetails) -> pb.JobStatus:
    """Show a job with its payload and result."""
    status = job_status(details.job)
    status.payload_json = details.payload or ""
    status.result_json = details.result or ""
    return status


def job_event(job: Job) -> pb.JobEvent:
    """Show a job's latest change: its transition, or what its running attempt has said since."""
    progress, latest = job.progress, job.running_progress
    return pb.JobEvent(
        job_id=str(job.id),
        state=STATE_NUMBERS[job.state],
        message=in_words(job),
        timestamp=from_datetime(latest.at if latest else job.updated_at),
        attempts=job.attempts,
        version=job.version,
        last_error=job.last_error,
        progress=progress.percent if progress else 0.0,
        progress_message=progress.message if progress else "",
    )


def in_words(job: Job) -> str:
    """Say where a job stands, for people."""
    words = _WORDS_AGAIN if job.state is JobState.QUEUED and job.attempts else _WORDS[job.state]
    attempt = f"attempt {job.attempts} of {job.max_attempts}"
    return words.format(attempt=attempt, at=_moment(job.run_at), progress=_progress(job.running_progress))


def _progress(progress: Progress | None) -> str:
    """Say how far an attempt is, rounded down, for 100 % is said of what is done."""
    return "" if progress is None else f", {int(progress.percent)} %: {progress.message}".removesuffix(": ")


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")


def requeue_response(job: Job) -> pb.RequeueJobResponse:
    """Answer for a requeued job."""
    return pb.RequeueJobResponse(version=job.version, state=STATE_NUMBERS[job.state])


def attempts_response(attempts: Sequence[Attempt]) -> pb.ListAttemptsResponse:
    """Show a job's history."""
    return pb.ListAttemptsResponse(attempts=map(_attempt, attempts))


def _attempt(attempt: Attempt) -> pb.Attempt:
    return pb.Attempt(
        fence=attempt.id.fence,
        number=attempt.number,
        worker_id=str(attempt.worker_id),
        started_at=from_datetime(attempt.started_at),
        finished_at=from_datetime(attempt.finished_at) if attempt.finished_at else None,
        outcome=OUTCOME_NUMBERS[attempt.outcome],
        error=attempt.error,
    )


def error_groups_response(found: ErrorGroups) -> pb.ListErrorGroupsResponse:
    """Show what jobs fail of."""
    return pb.ListErrorGroupsResponse(groups=map(_error_group, found.groups), more=found.more)


def _error_group(group: ErrorGroup) -> pb.ErrorGroup:
    return pb.ErrorGroup(
        error_fingerprint=group.fingerprint or UNKNOWN_ERROR,
        type=group.type,
        sample_error=group.sample_error,
        sample_job_id=str(group.sample_job_id),
        count=group.failed + group.dead_letters,
        count_capped=group.is_capped,
        failed=group.failed,
        dead_letters=group.dead_letters,
        first_seen=from_datetime(group.first_seen),
        last_seen=from_datetime(group.last_seen),
    )


def queue_stats_response(stats: QueueStats, now: datetime) -> pb.GetQueueStatsResponse:
    """Show how full the queues are at `now`."""
    return pb.GetQueueStatsResponse(
        queues=[_queue_depth(priority, stats.queues[priority], now) for priority in Priority],
        processing=stats.running,
        scheduled=stats.scheduled,
        retrying=stats.retrying,
        dead_letters=stats.dead_letters,
    )


def _queue_depth(priority: Priority, queue: QueueDepth, now: datetime) -> pb.QueueDepth:
    oldest = queue.oldest_queued_at
    return pb.QueueDepth(
        priority=PRIORITY_NUMBERS[priority],
        depth=queue.depth,
        # Clocks of processes differ a little: an age is never negative.
        oldest_age=None if oldest is None else from_timedelta(max(now - oldest, now - now)),
    )
