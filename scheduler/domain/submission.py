"""What a client asks for, checked, and how it becomes a job."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from scheduler.domain.errors import InvalidFieldError
from scheduler.domain.ids import JobId, OpId
from scheduler.domain.job import MAX_ATTEMPTS, MAX_TIMEOUT, MIN_TIMEOUT, Job, first_version
from scheduler.domain.json_document import check_json
from scheduler.domain.priority import Priority
from scheduler.domain.retry import RetryPolicy
from scheduler.domain.state import JobState

DEFAULT_MAX_ATTEMPTS = 3
DEFAULT_TIMEOUT = timedelta(seconds=300)
MAX_IDEMPOTENCY_KEY_BYTES = 256
MAX_LABELS = 32
MAX_LABEL_KEY_BYTES = 63
MAX_LABEL_VALUE_BYTES = 256
_TYPE = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_QUEUE_STEP = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One job as a client asks for it. Raises InvalidFieldError where a rule is broken."""

    type: str
    priority: Priority
    payload: str | None = None
    """One JSON document, kept byte for byte; None for no payload."""
    idempotency_key: str | None = None
    max_attempts: int = DEFAULT_MAX_ATTEMPTS
    timeout: timedelta = DEFAULT_TIMEOUT
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)
    labels: Mapping[str, str] = field(default_factory=dict)
    run_at: datetime | None = None
    """When to run it; None and the past mean now."""

    def __post_init__(self) -> None:
        """Check each rule of the contract for a submitted job."""
        check_job_type(self.type)
        if not 1 <= self.max_attempts <= MAX_ATTEMPTS:
            raise InvalidFieldError("max_attempts", f"must be between 1 and {MAX_ATTEMPTS}")
        if not MIN_TIMEOUT <= self.timeout <= MAX_TIMEOUT:
            raise InvalidFieldError("timeout", "must be between 1 ms and 24 h")
        if self.run_at is not None and self.run_at.tzinfo is None:
            raise InvalidFieldError("run_at", "must carry a time zone")
        if self.payload is not None:
            check_json("payload", self.payload)
        if self.idempotency_key is not None:
            check_text("idempotency_key", self.idempotency_key, MAX_IDEMPOTENCY_KEY_BYTES)
        if self.labels:
            _check_labels(self.labels)

    @property
    def request_hash(self) -> str:
        """Digest the content, without the names (job id, key) under which it may be repeated, and without its time.

        Who repeats a submission may say "in 30 seconds" again: the time of the first one stands.
        """
        return self._digest("now")

    def has_hash(self, request_hash: str) -> bool:
        """Return whether the hash is of this content; in jobs of versions up to 0.1 the time is a part of it."""
        if request_hash == self.request_hash:
            return True
        return self.run_at is not None and request_hash == self._digest(self.run_at.astimezone(UTC).isoformat())

    def _digest(self, time: str) -> str:
        policy = self.retry_policy
        parts = [
            self.type,
            self.priority,
            "none" if self.payload is None else f"json:{self.payload}",
            str(self.max_attempts),
            f"{self.timeout.total_seconds()}",
            f"{policy.initial} {policy.max_backoff} {policy.multiplier} {policy.jitter}",
            time,
            *(text for pair in sorted(self.labels.items()) for text in pair),
        ]
        return sha256("\0".join(parts).encode()).hexdigest()

    def accept(self, job_id: JobId, op_id: OpId, now: datetime, index: int) -> Job:
        """Make the job that the write `op_id` stores; `index` is its position in the batch, which keeps its order."""
        due = self.run_at is None or self.run_at <= now
        queued_at = now + index * _QUEUE_STEP if due else None
        return Job(
            id=job_id,
            type=self.type,
            priority=self.priority,
            max_attempts=self.max_attempts,
            timeout=self.timeout,
            retry_policy=self.retry_policy,
            request_hash=self.request_hash,
            idempotency_key=self.idempotency_key,
            labels=self.labels,
            state=JobState.QUEUED if due else JobState.SCHEDULED,
            version=first_version(now),
            op_id=op_id,
            run_at=now if self.run_at is None or due else self.run_at,
            created_at=now,
            updated_at=now,
            queued_at=queued_at,
        )


def check_job_type(job_type: str) -> None:
    """Raise InvalidFieldError unless jobs may have this type."""
    if not _TYPE.fullmatch(job_type):
        raise InvalidFieldError("type", "must be 1 to 128 of the characters A-Z a-z 0-9 _ . : -")


def check_label_count(field_name: str, count: int) -> None:
    """Raise InvalidFieldError when these are more labels than a job may have."""
    if count > MAX_LABELS:
        raise InvalidFieldError(field_name, f"must be at most {MAX_LABELS}, are {count}")


def _check_labels(labels: Mapping[str, str]) -> None:
    check_label_count("labels", len(labels))
    for key, value in labels.items():
        if not key:
            raise InvalidFieldError("labels", "a key must not be empty")
        check_text("labels", key, MAX_LABEL_KEY_BYTES, subject="a key ")
        check_text(f"labels[{key}]", value, MAX_LABEL_VALUE_BYTES)


def check_text(field_name: str, text: str, max_bytes: int, subject: str = "") -> None:
    """Raise InvalidFieldError unless a store keeps the text and it is short enough."""
    if "\0" in text:
        raise InvalidFieldError(field_name, f"{subject}must not hold NUL")
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise InvalidFieldError(field_name, f"{subject}must be valid UTF-8") from error
    if size > max_bytes:
        raise InvalidFieldError(field_name, f"{subject}must be at most {max_bytes} bytes, is {size}")
