"""One attempt of a job, as the history keeps it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from scheduler.domain.ids import AttemptId, WorkerId


class AttemptOutcome(StrEnum):
    """How an attempt ended."""

    SUCCEEDED = "SUCCEEDED"
    """The result was accepted."""
    RETRY = "RETRY"
    """It failed and the job waits for its backoff."""
    FAILED = "FAILED"
    """It failed and the job is final: no retry can help, or none is left."""
    TIMED_OUT = "TIMED_OUT"
    """It ran past its time limit."""
    LOST = "LOST"
    """Its worker's lease expired."""
    CANCELLED = "CANCELLED"
    """A client cancelled the job while it ran."""
    RELEASED = "RELEASED"
    """Its worker stopped and gave it back; it does not count as an attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt: number `number` of its job, ended with `outcome`, or still running when that is None."""

    id: AttemptId
    number: int
    worker_id: WorkerId
    started_at: datetime
    finished_at: datetime | None = None
    outcome: AttemptOutcome | None = None
    error: str = ""
