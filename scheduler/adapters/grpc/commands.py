"""From requests to what use cases take. The domain validates; refused here is what only the wire can get wrong.

Every error is an InvalidFieldError that names the wire's field with its path from the request.
"""

import re
from collections.abc import Generator, Iterator, Mapping
from datetime import datetime
from typing import Literal, TypedDict
from uuid import UUID

from scheduler.adapters.grpc import bulk_cursor
from scheduler.adapters.grpc.enums import PRIORITIES, STATES, optional, required
from scheduler.adapters.grpc.fields import fields_of
from scheduler.adapters.grpc.large_requests import LARGE_BYTES, MAX_BATCH_JOBS
from scheduler.adapters.grpc.pb import scheduler_pb2 as pb
from scheduler.adapters.grpc.times import to_datetime, to_timedelta
from scheduler.application.dead_letters import BulkOrder, EndedFilter
from scheduler.application.dto import JobFilter
from scheduler.application.use_cases.submit_jobs import SubmitCommand
from scheduler.domain.errors import InvalidFieldError
from scheduler.domain.ids import JobId
from scheduler.domain.json_document import CheckedJson, json_check_steps
from scheduler.domain.retry import RetryPolicy
from scheduler.domain.submission import (
    DEFAULT_MAX_ATTEMPTS,
    DEFAULT_TIMEOUT,
    MAX_LABEL_KEY_BYTES,
    MAX_LABEL_VALUE_BYTES,
    Submission,
    check_label_count,
    check_text,
)
from scheduler.domain.trace import TraceContext

MAX_FILTER_TYPE_BYTES = 256
MAX_ERROR_TEXT_BYTES = 4096
MAX_STATES = 32
"""More than there are states; a state may be named twice."""
_DEFAULT_RETRY_POLICY = RetryPolicy()
UNKNOWN_ERROR = "unknown"
"""Names the kind of those errors whose kind was never computed."""
_FINGERPRINT = re.compile(r"[0-9a-fA-F]{16}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

_Time = Literal["created_after", "created_before", "finished_after", "finished_before"]


def job_id(text: str, field: str = "job_id") -> JobId:
    """Read a required id: a UUID in its usual form of 36 characters."""
    if not _UUID.fullmatch(text):
        raise InvalidFieldError(field, "must be a UUID" if text else "is required")
    return JobId(UUID(text))


def single_submit(request: pb.SubmitJobRequest, trace: TraceContext | None = None) -> Iterator[SubmitCommand | None]:
    """Read the one job of a SubmitJob, in steps."""
    if not request.HasField("job"):
        raise InvalidFieldError("job", "is required")
    yield from _submit_steps(request.job, "job", trace)


def batch_submit(request: pb.SubmitJobsRequest, trace: TraceContext | None = None) -> Iterator[SubmitCommand | None]:
    """Read the jobs of a SubmitJobs, in steps."""
    if not 1 <= len(request.jobs) <= MAX_BATCH_JOBS:
        raise InvalidFieldError("jobs", f"must be 1 to {MAX_BATCH_JOBS}, are {len(request.jobs)}")
    for index, job in enumerate(request.jobs):
        yield from _submit_steps(job, f"jobs[{index}]", trace)


def _submit_steps(job: pb.Job, path: str, trace: TraceContext | None) -> Iterator[SubmitCommand | None]:
    with fields_of(path):
        payload = yield from _checked(job.payload_json)
    yield submit_command(job, path, trace, payload)


def _checked(payload: str) -> Generator[None, None, str]:
    """Return the payload; a large one is checked here, in steps, and not again where small ones are."""
    if len(payload) <= LARGE_BYTES:
        return payload
    yield from json_check_steps("payload", payload)
    return CheckedJson(payload)


def submit_command(
    job: pb.Job, path: str, trace: TraceContext | None = None, payload: str | None = None
) -> SubmitCommand:
    """Read a job that lies at `path` in its request."""
    with fields_of(path):
        submission = _submission(job, job.payload_json if payload is None else payload)
        return SubmitCommand(submission=submission, job_id=job_id(job.job_id) if job.job_id else None, trace=trace)


def _submission(job: pb.Job, payload: str) -> Submission:
    if job.labels:
        check_label_count("labels", len(job.labels))
    return Submission(
        type=job.type,
        priority=required(PRIORITIES, "priority", job.priority),
        payload=payload or None,
        idempotency_key=job.idempotency_key or None,
        max_attempts=job.max_attempts or DEFAULT_MAX_ATTEMPTS,
        timeout=to_timedelta("timeout", job.timeout) if job.HasField("timeout") else DEFAULT_TIMEOUT,
        retry_policy=_retry_policy(job.retry_policy) if job.HasField("retry_policy") else _DEFAULT_RETRY_POLICY,
        labels=dict(job.labels) if job.labels else {},
        run_at=to_datetime("run_at", job.run_at) if job.HasField("run_at") else None,
    )


def _retry_policy(policy: pb.RetryPolicy) -> RetryPolicy:
    default = _DEFAULT_RETRY_POLICY
    initial, longest = default.initial, default.max_backoff
    if policy.HasField("initial"):
        initial = to_timedelta("retry_policy.initial", policy.initial)
    if policy.HasField("max"):
        longest = to_timedelta("retry_policy.max", policy.max)
    return RetryPolicy(
        initial=initial,
        max_backoff=longest,
        multiplier=policy.multiplier if policy.HasField("multiplier") else default.multiplier,
        jitter=policy.jitter if policy.HasField("jitter") else default.jitter,
    )


def job_filter(request: pb.ListJobsRequest) -> JobFilter:
    """Read the filters of a ListJobs."""
    check_text("type_filter", request.type_filter, MAX_FILTER_TYPE_BYTES)
    created_after = created_before = None
    if request.HasField("created_after"):
        created_after = to_datetime("created_after", request.created_after)
    if request.HasField("created_before"):
        created_before = to_datetime("created_before", request.created_before)
    return JobFilter(
        state=optional(STATES, "state_filter", request.state_filter),
        priority=optional(PRIORITIES, "priority_filter", request.priority_filter),
        type=request.type_filter or None,
        labels=_label_filter(request.label_filter),
        created_after=created_after,
        created_before=created_before,
        error_fingerprint=fingerprint(request.error_fingerprint),
    )


def ended_filter(job_filter: pb.JobFilter) -> EndedFilter:
    """Read the filter of a bulk request, which lies in the field `filter`."""
    with fields_of("filter"):
        check_text("type_filter", job_filter.type_filter, MAX_FILTER_TYPE_BYTES)
        check_text("error_text", job_filter.error_text, MAX_ERROR_TEXT_BYTES)
        if len(job_filter.state_filter) > MAX_STATES:
            raise InvalidFieldError("state_filter", f"must name at most {MAX_STATES} states")
        return EndedFilter(
            states=frozenset(required(STATES, "state_filter", state) for state in job_filter.state_filter),
            priority=optional(PRIORITIES, "priority_filter", job_filter.priority_filter),
            type=job_filter.type_filter or None,
            labels=_label_filter(job_filter.label_filter),
            created_after=_optional_time(job_filter, "created_after"),
            created_before=_optional_time(job_filter, "created_before"),
            finished_after=_optional_time(job_filter, "finished_after"),
            finished_before=_optional_time(job_filter, "finished_before"),
            error_text=job_filter.error_text or None,
            error_fingerprint=fingerprint(job_filter.error_fingerprint),
        )


def bulk_order(request: pb.RequeueJobsRequest | pb.PurgeJobsRequest, job_filter: EndedFilter) -> BulkOrder:
    """Read how much of what matches a bulk request is about."""
    return BulkOrder(
        limit=_not_negative("limit", request.limit),
        rate=_not_negative("rate", request.rate) if isinstance(request, pb.RequeueJobsRequest) else 0,
        dry_run=request.dry_run,
        cursor=bulk_cursor.decode(request.cursor, job_filter),
    )


def fingerprint(text: str) -> str | None:
    """Read the name of a kind of error: "" for the unknown one, None for none."""
    if not text:
        return None
    if text == UNKNOWN_ERROR:
        return ""
    if not _FINGERPRINT.fullmatch(text):
        raise InvalidFieldError("error_fingerprint", f"must be 16 hexadecimal digits, or {UNKNOWN_ERROR}")
    return text.lower()


def _optional_time(message: pb.JobFilter, field: _Time) -> datetime | None:
    return to_datetime(field, getattr(message, field)) if message.HasField(field) else None


def _label_filter(labels: Mapping[str, str]) -> Mapping[str, str]:
    check_label_count("label_filter", len(labels))
    for key, value in labels.items():
        check_text("label_filter", key, MAX_LABEL_KEY_BYTES, subject="a key ")
        check_text(f"label_filter[{key}]", value, MAX_LABEL_VALUE_BYTES)
    return dict(labels)


class RequeueFields(TypedDict):
    """What RequeueJob takes beside the id."""

    payload: str | None
    expected_version: int


def requeue(request: pb.RequeueJobRequest) -> Iterator[RequeueFields | None]:
    """Read a RequeueJob, in steps; an empty payload keeps the stored one, as an absent one does."""
    version = _not_negative("expected_version", request.expected_version)
    with fields_of():
        payload = yield from _checked(request.payload_json)
    yield RequeueFields(payload=payload or None, expected_version=version)


class ErrorGroupsFields(TypedDict):
    """What ListErrorGroups takes."""

    fingerprint: str | None
    job_type: str | None
    limit: int


def error_groups(request: pb.ListErrorGroupsRequest) -> ErrorGroupsFields:
    """Read a ListErrorGroups."""
    check_text("type_filter", request.type_filter, MAX_FILTER_TYPE_BYTES)
    return ErrorGroupsFields(
        fingerprint=fingerprint(request.error_fingerprint), job_type=request.type_filter or None, limit=request.limit
    )


def after_version(request: pb.WatchJobRequest) -> int | None:
    """Read where a watch goes on; None to begin with the current state."""
    return _not_negative("after_version", request.after_version) or None


def _not_negative(field: str, number: int) -> int:
    if number < 0:
        raise InvalidFieldError(field, "must not be negative")
    return number
