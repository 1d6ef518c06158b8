"""Accept jobs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from scheduler.application.best_effort import BestEffortQueue
from scheduler.application.deadline import time_limit
from scheduler.application.dto import SubmitOutcome, TakenName
from scheduler.application.errors import DuplicateJobsError
from scheduler.application.group_commit import FlushLimits, GroupCommit, byte_length
from scheduler.application.ports.clock import Clock
from scheduler.application.ports.ids import Ids
from scheduler.application.ports.job_repository import JobRepository
from scheduler.application.ports.telemetry import SubmitTelemetry
from scheduler.application.ports.tracing import Tracing
from scheduler.application.submission_plan import NamedSubmission, SubmissionPlan, plan_submissions
from scheduler.application.untraced import UNTRACED
from scheduler.domain.errors import SchedulerError
from scheduler.domain.ids import JobId
from scheduler.domain.submission import Submission
from scheduler.domain.trace import TraceContext

STORE_SECONDS = 5.0
"""One flush serves callers with different deadlines: it has its own."""
_ROW_OVERHEAD_BYTES = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitCommand:
    """One job that a client asks for, under an id of the client's choice or of ours."""

    submission: Submission
    job_id: JobId | None = None
    trace: TraceContext | None = None
    """In which it is submitted."""


class SubmitJobs:
    """Store a request's jobs all together or not at all, once per name; the commit is the acknowledgement."""

    def __init__(
        self,
        *,
        repository: JobRepository,
        queue: BestEffortQueue,
        clock: Clock,
        ids: Ids,
        telemetry: SubmitTelemetry,
        tracing: Tracing = UNTRACED,
    ) -> None:
        self._repository = repository
        self._queue = queue
        self._clock = clock
        self._ids = ids
        self._telemetry = telemetry
        self._group = GroupCommit[NamedSubmission, Sequence[SubmitOutcome]](
            self._flush, size_of=_size_of, limits=FlushLimits(), name="submit_jobs", tracing=tracing
        )

    async def execute(self, commands: Sequence[SubmitCommand]) -> Sequence[SubmitOutcome]:
        """Return one outcome a command; raises IdempotencyMismatchError when a name is taken by other content."""
        with self.failures_counted():
            return await self._group.commit([self._name(command) for command in commands])

    @contextmanager
    def failures_counted(self) -> Iterator[None]:
        """Count the error that ends a submit inside: for callers whose request may be refused before `execute`."""
        try:
            yield
        except SchedulerError as error:
            self._telemetry.submit_failed(type(error).__name__)
            raise

    def _name(self, command: SubmitCommand) -> NamedSubmission:
        return NamedSubmission(
            submission=command.submission,
            job_id=command.job_id or self._ids.job_id(),
            op_id=self._ids.op_id(),
            trace=command.trace,
        )

    async def _flush(
        self, requests: Sequence[Sequence[NamedSubmission]]
    ) -> Sequence[Sequence[SubmitOutcome] | SchedulerError]:
        with time_limit(STORE_SECONDS):
            plan = await self._store(requests, self._clock.now())
        self._telemetry.jobs_submitted(plan.created)
        await self._queue.enqueue(plan.created)
        return plan.results

    async def _store(self, requests: Sequence[Sequence[NamedSubmission]], now: datetime) -> SubmissionPlan:
        """Plan against what holds our keys, and against all that holds our names when the store refuses a taken one."""
        everything = [item for request in requests for item in request]
        suspects = [item for item in everything if item.expects_repeats]
        while True:
            plan = plan_submissions(requests, await self._find_taken(suspects), now)
            try:
                if plan.new_jobs:
                    await self._repository.add_all(plan.new_jobs)
            except DuplicateJobsError:
                suspects = everything
            else:
                return plan

    async def _find_taken(self, suspects: Sequence[NamedSubmission]) -> Sequence[TakenName]:
        if not suspects:
            return []
        keys = [key for item in suspects if (key := item.submission.idempotency_key) is not None]
        return await self._repository.find_taken([item.job_id for item in suspects], keys)


def _size_of(item: NamedSubmission) -> int:
    submission = item.submission
    labels = sum(byte_length(key) + byte_length(value) for key, value in submission.labels.items())
    return _ROW_OVERHEAD_BYTES + byte_length(submission.payload or "") + labels
