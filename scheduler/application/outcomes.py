"""How an attempt ended, on its way to the store."""

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never
from uuid import UUID, uuid5

from scheduler.domain.ids import OpId
from scheduler.domain.job import Job
from scheduler.domain.progress import Progress
from scheduler.domain.retry import Failure
from scheduler.domain.trace import TraceContext

_RESULTS = UUID("6f1d3c5e-8a0b-4c53-9d27-1e0f5a7b9c24")


@dataclass(frozen=True, slots=True, kw_only=True)
class Success:
    """The handler returned; `result` is a JSON document or None."""

    result: str | None = None


@dataclass(frozen=True, slots=True)
class Released:
    """The worker gives the job back: it stops, or may not believe in its lease any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptResult:
    """What became of a RUNNING job; `draw` is the chance that the retry policy may use."""

    job: Job
    outcome: Success | Failure | Released
    ended_at: datetime
    draw: float
    progress: Progress | None = None
    """What the attempt said last."""
    trace: TraceContext | None = None
    """In which it ran."""

    @property
    def result(self) -> str | None:
        """Return the document that a success left."""
        return self.outcome.result if isinstance(self.outcome, Success) else None

    @property
    def op_id(self) -> OpId:
        """Name the write of this result: the same for each repetition, however long after the first."""
        parts = (self.job.id, self.job.op_id, type(self.outcome).__name__, self.ended_at.isoformat())
        return OpId(uuid5(_RESULTS, " ".join(map(str, parts))))

    def decide(self) -> Job:
        """Return the job as the domain wants it after this result."""
        job = self.job if self.progress is None else self.job.with_progress(self.progress)
        match self.outcome:
            case Success():
                return job.succeed(self.ended_at)
            case Failure() as failure:
                return job.fail(failure, self.ended_at, self.draw)
            case Released():
                return job.release(self.ended_at)
            case _:
                assert_never(self.outcome)
