"""Turn queued jobs into running ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from scheduler.application.best_effort import BestEffortQueue
from scheduler.application.deadline import time_limit
from scheduler.application.dto import QueueEntry, StartedJob
from scheduler.application.errors import QueueUnavailableError
from scheduler.application.ports.clock import Clock
from scheduler.application.ports.job_queue import JobQueue
from scheduler.application.ports.job_repository import JobRepository
from scheduler.application.ports.job_sweeper import JobSweeper
from scheduler.application.ports.telemetry import FaultTelemetry, WorkerTelemetry
from scheduler.application.ports.tracing import Tracing
from scheduler.application.transitions import Transitions
from scheduler.application.untraced import UNTRACED
from scheduler.domain.errors import SchedulerError
from scheduler.domain.ids import AttemptId, WorkerId
from scheduler.domain.priority import ClaimOrder, ClaimPlan
from scheduler.domain.state import JobState

HAND_OUT = timedelta(seconds=10)
START_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedBatch:
    """The jobs that this worker now holds, out of `claimed` that it got from the queue."""

    jobs: Sequence[StartedJob]
    claimed: int


class StartJobs:
    """A job runs only after the store made it RUNNING under this worker; what could not start is given back."""

    def __init__(
        self,
        *,
        repository: JobRepository,
        sweeper: JobSweeper,
        queue: JobQueue,
        best_effort: BestEffortQueue,
        transitions: Transitions,
        clock: Clock,
        order: ClaimOrder,
        telemetry: WorkerTelemetry,
        faults: FaultTelemetry,
        tracing: Tracing = UNTRACED,
    ) -> None:
        self._repository = repository
        self._sweeper = sweeper
        self._queue = queue
        self._best_effort = best_effort
        self._transitions = transitions
        self._clock = clock
        self._order = order
        self._telemetry = telemetry
        self._faults = faults
        self._tracing = tracing
        self._turn = 0
        self.under_way: frozenset[AttemptId] = frozenset()
        """Attempts whose start was sent to the store and that `execute` has neither returned nor given up."""

    async def execute(self, worker_id: WorkerId, limit: int) -> StartedBatch:
        """Claim and start up to `limit` jobs; raises StoreUnavailableError and StoreRejectedError."""
        plan = self._order.plan(limit, self._turn)
        entries, handed_out = await self._claim(plan)
        self._turn += len(entries)
        if not entries:
            return StartedBatch(jobs=[], claimed=0)
        try:
            with self._tracing.batch("start_jobs", [None] * len(entries)):
                started = await self._start_or_give_back(worker_id, entries, handed_out)
        finally:
            self.under_way = frozenset()
        self._telemetry.jobs_started([item.job for item in started])
        return StartedBatch(jobs=started, claimed=len(entries))

    async def _start_or_give_back(
        self, worker_id: WorkerId, entries: Sequence[QueueEntry], handed_out: Sequence[QueueEntry]
    ) -> Sequence[StartedJob]:
        try:
            with time_limit(START_SECONDS):
                started = await self._start(worker_id, entries)
        except SchedulerError:
            await self._best_effort.give_back(handed_out)
            raise
        await self._best_effort.ack([entry.job_id for entry in handed_out])
        await self._best_effort.announce([item.job for item in started])
        return started

    async def _claim(self, plan: ClaimPlan) -> tuple[Sequence[QueueEntry], Sequence[QueueEntry]]:
        """Return what to start, and which of it was handed out by the queue: all, or nothing without Redis."""
        try:
            entries = await self._queue.claim(plan, HAND_OUT)
        except QueueUnavailableError as error:
            self._faults.fault("claiming_from_store", error)
            return await self._sweeper.claimable(plan), []
        return entries, entries

    async def _start(self, worker_id: WorkerId, entries: Sequence[QueueEntry]) -> Sequence[StartedJob]:
        found = await self._repository.load_details([entry.job_id for entry in entries])
        now = self._clock.now()
        queued = [details.job for details in found.values() if details.job.state is JobState.QUEUED]
        changes = [self._transitions.change(job, job.start(worker_id, now)) for job in queued]
        if not changes:
            return []
        self.under_way = frozenset(change.job.attempt_id for change in changes)
        applied = await self._repository.apply(changes)
        started = {change.job.id: change.job for change in changes if change.job.id in applied}
        return [
            StartedJob(job=started[job_id], payload=found[job_id].payload, trace=found[job_id].trace)
            for entry in entries
            if (job_id := entry.job_id) in started
        ]
