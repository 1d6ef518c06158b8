"""What clients asked for and what they were told: the outside view of a run."""

from dataclasses import dataclass, field

from scheduler.application.dto import SubmitOutcome
from scheduler.domain.ids import JobId
from scheduler.domain.job import Job
from scheduler.domain.state import JobState
from scheduler.domain.submission import Submission


class NoAnswerError(Exception):
    """The call may have had its effect, or not."""


@dataclass(slots=True, kw_only=True)
class Asked:
    """One call; `answer` is what it returned or raised, NoAnswerError when nothing came."""

    at: float
    answered_at: float = float("inf")
    answer: object = None

    @property
    def succeeded(self) -> bool:
        return self.answer is not None and not isinstance(self.answer, Exception)


@dataclass(slots=True, kw_only=True)
class Wish:
    """A job that a client wants to have, and each time it asked for it."""

    submission: Submission
    job_id: JobId | None
    """Under which it was asked for; None lets the server choose."""
    calls: list[Asked] = field(default_factory=list)

    @property
    def can_be_repeated(self) -> bool:
        return self.job_id is not None or self.submission.idempotency_key is not None

    def outcomes(self) -> list[SubmitOutcome]:
        return [call.answer for call in self.calls if isinstance(call.answer, SubmitOutcome)]

    @property
    def acknowledged(self) -> JobId | None:
        """Return the id of the job that some answer promised."""
        return next((outcome.job_id for outcome in self.outcomes()), None)


@dataclass(slots=True, kw_only=True)
class JobCall(Asked):
    """A cancel or a requeue."""

    job_id: JobId
    payload: str | None = None


@dataclass(slots=True, kw_only=True)
class BulkCall(Asked):
    """A requeue or a deletion of all that match."""


@dataclass(slots=True, kw_only=True)
class Stream:
    """One stream to one api, and when it brought what."""

    api: str
    opened_at: float
    ended_at: float = float("inf")
    heard: list[tuple[float, Job]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Watched:
    """What one watcher saw of a job, over all its streams."""

    job_id: JobId
    by: str
    seen: list[Job] = field(default_factory=list)
    streams: list[Stream] = field(default_factory=list)
    ended: bool = False
    error: str = ""


@dataclass(slots=True)
class Book:
    """Everything that clients know."""

    wishes: list[Wish] = field(default_factory=list)
    cancels: list[JobCall] = field(default_factory=list)
    requeues: list[JobCall] = field(default_factory=list)
    bulk_requeues: list[BulkCall] = field(default_factory=list)
    deletions: list[BulkCall] = field(default_factory=list)
    watches: list[Watched] = field(default_factory=list)

    def acknowledged(self) -> list[JobId]:
        """Return the jobs that were promised to clients."""
        ids = (wish.acknowledged for wish in self.wishes)
        return list(dict.fromkeys(job_id for job_id in ids if job_id is not None))


FINISHED = frozenset({JobState.FAILED, JobState.DEADLETTER, JobState.CANCELLED})
