"""What happened, in the past tense: hints that carry no truth, for whoever listens."""

from dataclasses import dataclass

from scheduler.domain.ids import AttemptId, JobId, WorkerId
from scheduler.domain.progress import Progress
from scheduler.domain.state import JobState


@dataclass(frozen=True, slots=True)
class WorkArrived:
    """Jobs were queued: an idle worker may claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobChanged:
    """A job has a new version; who watches it reads it again."""

    job_id: JobId
    version: int
    state: JobState
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProgressed:
    """The attempt that runs under this version, its fence, said how far it is; the store may know it a little later."""

    job_id: JobId
    version: int
    progress: Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRevoked:
    """A running attempt lost its job (cancelled, recovered): its worker stops it."""

    worker_id: WorkerId
    attempt_id: AttemptId


Event = WorkArrived | JobChanged | JobProgressed | AttemptRevoked
