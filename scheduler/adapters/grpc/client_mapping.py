"""The client's side of the wire: from domain objects to requests, from answers to views."""

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from scheduler.adapters.grpc.client_views import (
    AttemptView,
    BulkResult,
    ErrorGroupsView,
    ErrorGroupView,
    EventView,
    JobView,
    QueueStatsView,
    QueueView,
    RequeuedJob,
    SubmittedJob,
)
from scheduler.adapters.grpc.commands import UNKNOWN_ERROR
from scheduler.adapters.grpc.enums import (
    OUTCOMES,
    PRIORITIES,
    PRIORITY_NUMBERS,
    STATE_NUMBERS,
    STATES,
)
from scheduler.adapters.grpc.pb import scheduler_pb2 as pb
from scheduler.adapters.grpc.times import from_datetime, from_timedelta, to_datetime, to_timedelta
from scheduler.application.dead_letters import EndedFilter
from scheduler.application.dto import JobFilter
from scheduler.application.use_cases.submit_jobs import SubmitCommand
from scheduler.domain.retry import RetryPolicy
from scheduler.domain.submission import DEFAULT_TIMEOUT

_DEFAULT_RETRY_POLICY = RetryPolicy()


def job_message(command: SubmitCommand) -> pb.Job:
    """Write a job to submit."""
    submission, policy = command.submission, command.submission.retry_policy
    return pb.Job(
        job_id=str(command.job_id) if command.job_id else "",
        type=submission.type,
        priority=PRIORITY_NUMBERS[submission.priority],
        payload_json=submission.payload or "",
        idempotency_key=submission.idempotency_key or "",
        max_attempts=submission.max_attempts,
        run_at=_optional_timestamp(submission.run_at),
        timeout=None if submission.timeout == DEFAULT_TIMEOUT else from_timedelta(submission.timeout),
        retry_policy=None if policy == _DEFAULT_RETRY_POLICY else _retry_policy(policy),
        labels=submission.labels,
    )


def _retry_policy(policy: RetryPolicy) -> pb.RetryPolicy:
    return pb.RetryPolicy(
        initial=from_timedelta(policy.initial),
        max=from_timedelta(policy.max_backoff),
        multiplier=policy.multiplier,
        jitter=policy.jitter,
    )


def list_request(job_filter: JobFilter, *, page_size: int, page_token: str) -> pb.ListJobsRequest:
    """Write a request for one page."""
    return pb.ListJobsRequest(
        state_filter=STATE_NUMBERS[job_filter.state] if job_filter.state else pb.JOB_STATE_UNSPECIFIED,
        priority_filter=PRIORITY_NUMBERS[job_filter.priority] if job_filter.priority else pb.PRIORITY_UNSPECIFIED,
        type_filter=job_filter.type or "",
        page_size=page_size,
        page_token=page_token,
        label_filter=job_filter.labels,
        created_after=_optional_timestamp(job_filter.created_after),
        created_before=_optional_timestamp(job_filter.created_before),
        error_fingerprint=_error_fingerprint(job_filter.error_fingerprint),
    )


def ended_filter(job_filter: EndedFilter) -> pb.JobFilter:
    """Write the filter of a bulk request."""
    return pb.JobFilter(
        state_filter=sorted(STATE_NUMBERS[state] for state in job_filter.states),
        priority_filter=PRIORITY_NUMBERS[job_filter.priority] if job_filter.priority else pb.PRIORITY_UNSPECIFIED,
        type_filter=job_filter.type or "",
        label_filter=job_filter.labels,
        created_after=_optional_timestamp(job_filter.created_after),
        created_before=_optional_timestamp(job_filter.created_before),
        finished_after=_optional_timestamp(job_filter.finished_after),
        finished_before=_optional_timestamp(job_filter.finished_before),
        error_text=job_filter.error_text or "",
        error_fingerprint=_error_fingerprint(job_filter.error_fingerprint),
    )


def _error_fingerprint(fingerprint: str | None) -> str:
    return "" if fingerprint is None else fingerprint or UNKNOWN_ERROR


def bulk_result(response: pb.RequeueJobsResponse | pb.PurgeJobsResponse) -> BulkResult:
    """Read the answer to a bulk request."""
    return BulkResult(count=response.count, cursor=response.next_cursor)


def error_groups(response: pb.ListErrorGroupsResponse) -> ErrorGroupsView:
    """Read kinds of errors."""
    return ErrorGroupsView(groups=[_error_group(group) for group in response.groups], more=response.more)


def _error_group(group: pb.ErrorGroup) -> ErrorGroupView:
    return ErrorGroupView(
        fingerprint=group.error_fingerprint,
        type=group.type,
        sample_error=group.sample_error,
        sample_job_id=group.sample_job_id,
        count=group.count,
        count_capped=group.count_capped,
        failed=group.failed,
        dead_letters=group.dead_letters,
        first_seen=to_datetime("first_seen", group.first_seen),
        last_seen=to_datetime("last_seen", group.last_seen),
    )


def _optional_timestamp(at: datetime | None) -> Timestamp | None:
    return None if at is None else from_datetime(at)


def submitted_job(response: pb.SubmitJobResponse) -> SubmittedJob:
    """Read the answer for one submitted job."""
    return SubmittedJob(job_id=response.job_id, created=response.created)


def job_view(status: pb.JobStatus) -> JobView:
    """Read a job."""
    return JobView(
        job_id=status.job_id,
        state=STATES[status.state],
        type=status.type,
        priority=PRIORITIES[status.priority],
        attempts=status.attempts,
        max_attempts=status.max_attempts,
        losses=status.losses,
        version=status.version,
        last_error=status.last_error,
        worker_id=status.worker_id or None,
        labels=dict(status.labels),
        created_at=to_datetime("created_at", status.created_at),
        updated_at=to_datetime("updated_at", status.updated_at),
        run_at=to_datetime("run_at", status.run_at),
        started_at=to_datetime("started_at", status.started_at) if status.HasField("started_at") else None,
        finished_at=to_datetime("finished_at", status.finished_at) if status.HasField("finished_at") else None,
        payload=status.payload_json or None,
        result=status.result_json or None,
        progress=status.progress,
        progress_message=status.progress_message,
    )


def event_view(event: pb.JobEvent) -> EventView:
    """Read a change."""
    return EventView(
        job_id=event.job_id,
        state=STATES[event.state],
        message=event.message,
        at=to_datetime("timestamp", event.timestamp),
        attempts=event.attempts,
        version=event.version,
        last_error=event.last_error,
        progress=event.progress,
        progress_message=event.progress_message,
    )


def attempt_view(attempt: pb.Attempt) -> AttemptView:
    """Read an attempt."""
    return AttemptView(
        fence=attempt.fence,
        number=attempt.number,
        worker_id=attempt.worker_id,
        started_at=to_datetime("started_at", attempt.started_at),
        finished_at=to_datetime("finished_at", attempt.finished_at) if attempt.HasField("finished_at") else None,
        outcome=OUTCOMES[attempt.outcome],
        error=attempt.error,
    )


def requeued_job(response: pb.RequeueJobResponse) -> RequeuedJob:
    """Read the answer to a requeue."""
    return RequeuedJob(version=response.version, state=STATES[response.state])


def queue_stats_view(response: pb.GetQueueStatsResponse) -> QueueStatsView:
    """Read how full the queues are."""
    return QueueStatsView(
        queues=[_queue_view(queue) for queue in response.queues],
        processing=response.processing,
        scheduled=response.scheduled,
        retrying=response.retrying,
        dead_letters=response.dead_letters,
    )


def _queue_view(queue: pb.QueueDepth) -> QueueView:
    return QueueView(
        priority=PRIORITIES[queue.priority],
        depth=queue.depth,
        oldest_age=to_timedelta("oldest_age", queue.oldest_age) if queue.HasField("oldest_age") else None,
    )
