"""Which of several requests' jobs are new, which exist already, and which requests must be refused."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from scheduler.application.dto import NewJob, SubmitOutcome, TakenName
from scheduler.application.errors import IdempotencyMismatchError
from scheduler.domain.errors import SchedulerError
from scheduler.domain.ids import JobId, OpId
from scheduler.domain.job import Job
from scheduler.domain.submission import Submission
from scheduler.domain.trace import TraceContext


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSubmission:
    """A submission with the names it will be stored under."""

    submission: Submission
    job_id: JobId
    op_id: OpId
    trace: TraceContext | None = None

    @property
    def expects_repeats(self) -> bool:
        """Tell whether to look for an earlier job first: a key is there to be repeated, an id repeats a lost reply."""
        return self.submission.idempotency_key is not None


@dataclass(slots=True)
class SubmissionPlan:
    """What to store, and what to answer once it is stored: a result or an error for each request."""

    results: list[Sequence[SubmitOutcome] | SchedulerError] = field(default_factory=list)
    new_jobs: list[NewJob] = field(default_factory=list)
    created: list[Job] = field(default_factory=list)
    """The new jobs, and those that a repeated write of ours has stored before."""


def plan_submissions(
    requests: Sequence[Sequence[NamedSubmission]], taken: Sequence[TakenName], now: datetime
) -> SubmissionPlan:
    """Decide request by request: a refused one leaves no trace, a repeat of an earlier job creates none."""
    plan = SubmissionPlan()
    names = _Names(taken)
    for request in requests:
        draft = _Draft(names, now, first_index=len(plan.created))
        try:
            outcomes = [draft.place(item, index) for index, item in enumerate(request)]
        except IdempotencyMismatchError as error:
            plan.results.append(error)
            continue
        names.add(draft.taken)
        plan.results.append(outcomes)
        plan.new_jobs.extend(draft.new_jobs)
        plan.created.extend(draft.created)
    return plan


class _Names:
    """Who holds which id and key."""

    def __init__(self, taken: Iterable[TakenName]) -> None:
        self._by_id: dict[JobId, TakenName] = {}
        self._by_key: dict[str, TakenName] = {}
        self.add(taken)

    def add(self, taken: Iterable[TakenName]) -> None:
        for name in taken:
            self._by_id[name.job_id] = name
            if name.idempotency_key is not None:
                self._by_key[name.idempotency_key] = name

    def holders(self, job: Job) -> list[TakenName]:
        """Return the holders of the job's id and of its key: none, one, or two that differ."""
        by_id = self._by_id.get(job.id)
        by_key = None if job.idempotency_key is None else self._by_key.get(job.idempotency_key)
        return [holder for holder in (by_id, by_key) if holder is not None]


class _Draft:
    """One request's share of the plan, until the whole request is known to be good."""

    def __init__(self, names: _Names, now: datetime, *, first_index: int) -> None:
        self._names = names
        self._own = _Names([])
        self._now = now
        self._first_index = first_index
        self.taken: list[TakenName] = []
        self.new_jobs: list[NewJob] = []
        self.created: list[Job] = []

    def place(self, item: NamedSubmission, index: int) -> SubmitOutcome:
        job = item.submission.accept(item.job_id, item.op_id, self._now, self._first_index + index)
        holders = self._names.holders(job) + self._own.holders(job)
        if not holders:
            self._create(job, item)
            return SubmitOutcome(job_id=job.id, created=True)
        if not all(item.submission.has_hash(holder.request_hash) for holder in holders):
            raise IdempotencyMismatchError(holders[0].job_id, index)
        if len({holder.job_id for holder in holders}) > 1:
            raise IdempotencyMismatchError(holders[0].job_id, index)
        return self._found(job, item, holders[0])

    def _create(self, job: Job, item: NamedSubmission) -> None:
        name = TakenName(
            job_id=job.id,
            idempotency_key=job.idempotency_key,
            request_hash=job.request_hash,
            created_op_id=item.op_id,
        )
        self._own.add([name])
        self.taken.append(name)
        self.new_jobs.append(NewJob(job=job, payload=item.submission.payload, trace=item.trace))
        self.created.append(job)

    def _found(self, job: Job, item: NamedSubmission, holder: TakenName) -> SubmitOutcome:
        created = holder.created_op_id == item.op_id
        if created:
            self.created.append(job)
        return SubmitOutcome(job_id=holder.job_id, created=created)
