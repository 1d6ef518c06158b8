"""Turn queued jobs into running ones."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from scheduler.application.best_effort import BestEffortQueue
from scheduler.application.deadline import time_limit
from scheduler.application.dto import QueueEntry, StartedJob
from scheduler.application.errors import QueueUnavailableError
from scheduler.application.ports.clock import Clock
from scheduler.application.ports.handlers import HandlerRegistry
from scheduler.application.ports.job_queue import JobQueue
from scheduler.application.ports.job_repository import JobRepository
from scheduler.application.ports.job_sweeper import JobSweeper
from scheduler.application.ports.telemetry import FaultTelemetry, WorkerTelemetry
from scheduler.application.ports.tracing import Tracing
from scheduler.application.transitions import Transitions
from scheduler.application.untraced import UNTRACED
from scheduler.domain.errors import SchedulerError
from scheduler.domain.ids import AttemptId, JobId, WorkerId
from scheduler.domain.job import Job
from scheduler.domain.priority import ClaimOrder, ClaimPlan
from scheduler.domain.state import JobState

HAND_OUT = timedelta(seconds=10)
MAX_UNREADABLE = 1000
UNREADABLE_SECONDS = 60.0
FIRST_FOREIGN_PAUSE = 2.0
LONGEST_FOREIGN_PAUSE = 30.0
"""Seconds for which a worker that met jobs without a handler claims from the store by its types."""
START_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedBatch:
    """The jobs that this worker now holds, out of `claimed` that it got from the queue."""

    jobs: Sequence[StartedJob]
    claimed: int


class StartJobs:
    """A job runs only after the store made it RUNNING under this worker; what could not start is given back.

    Jobs of types that have no handler here are left to other workers, without consuming an attempt.
    """

    def __init__(
        self,
        *,
        repository: JobRepository,
        sweeper: JobSweeper,
        handlers: HandlerRegistry,
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
        self._handlers = handlers
        self._queue = queue
        self._best_effort = best_effort
        self._transitions = transitions
        self._clock = clock
        self._order = order
        self._telemetry = telemetry
        self._faults = faults
        self._tracing = tracing
        self._turn = 0
        self._unreadable: dict[JobId, None] = {}
        self._read_again_at = 0.0
        self._ask_queue_at = 0.0
        self._foreign_pause = FIRST_FOREIGN_PAUSE
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
                started, foreign = await self._start(worker_id, entries)
        except SchedulerError:
            await self._best_effort.give_back(handed_out)
            raise
        if handed_out:
            self._leave_to_others(foreign)
            left = {job.id for job in foreign}
            await self._best_effort.ack([entry.job_id for entry in handed_out if entry.job_id not in left])
            await self._best_effort.give_back([entry for entry in handed_out if entry.job_id in left])
        elif self._passes_by_queue():
            await self._best_effort.remove([item.job.id for item in started])
        await self._best_effort.announce([item.job for item in started])
        return started

    async def _claim(self, plan: ClaimPlan) -> tuple[Sequence[QueueEntry], Sequence[QueueEntry]]:
        """Return what to start, and which of it was handed out by the queue: all, or nothing without it."""
        if self._passes_by_queue():
            return await self._claim_from_store(plan), []
        try:
            entries = await self._queue.claim(plan, HAND_OUT)
        except QueueUnavailableError as error:
            self._faults.fault("claiming_from_store", error)
            return await self._claim_from_store(plan), []
        if not entries:
            self._leave_to_others([])
        return entries, entries

    def _passes_by_queue(self) -> bool:
        return self._clock.monotonic() < self._ask_queue_at

    async def _claim_from_store(self, plan: ClaimPlan) -> Sequence[QueueEntry]:
        now = self._clock.monotonic()
        if now >= self._read_again_at:
            self._unreadable.clear()
            self._read_again_at = now + UNREADABLE_SECONDS
        return await self._sweeper.claimable(plan, types=self._handlers.types(), excluding=tuple(self._unreadable))

    def _pass_over(self, ids: Iterable[JobId]) -> None:
        """Keep rows that are listed as QUEUED and cannot be loaded from filling each claim, for a while."""
        self._unreadable.update(dict.fromkeys(ids))
        while len(self._unreadable) > MAX_UNREADABLE:
            del self._unreadable[next(iter(self._unreadable))]

    def _leave_to_others(self, foreign: Sequence[Job]) -> None:
        """Take only jobs that have a handler here from the store for a while, and leave the queue's head to others."""
        if not foreign:
            self._foreign_pause = FIRST_FOREIGN_PAUSE
            return
        self._ask_queue_at = self._clock.monotonic() + self._foreign_pause
        self._foreign_pause = min(LONGEST_FOREIGN_PAUSE, 2 * self._foreign_pause)
        self._telemetry.jobs_without_handler(foreign)

    async def _start(
        self, worker_id: WorkerId, entries: Sequence[QueueEntry]
    ) -> tuple[Sequence[StartedJob], Sequence[Job]]:
        """Return what runs now, and what other workers may have a handler for."""
        found = await self._repository.load_details([entry.job_id for entry in entries])
        self._pass_over(entry.job_id for entry in entries if entry.job_id not in found)
        now = self._clock.now()
        queued = [details.job for details in found.values() if details.job.state is JobState.QUEUED]
        own = [job for job in queued if self._handlers.find(job.type) is not None]
        foreign = [job for job in queued if self._handlers.find(job.type) is None]
        changes = [self._transitions.change(job, job.start(worker_id, now)) for job in own]
        if not changes:
            return [], foreign
        self.under_way = frozenset(change.job.attempt_id for change in changes)
        applied = await self._repository.apply(changes)
        started = {change.job.id: change.stored_job for change in changes if change.job.id in applied}
        running = [
            StartedJob(job=started[job_id], payload=found[job_id].payload, trace=found[job_id].trace)
            for entry in entries
            if (job_id := entry.job_id) in started
        ]
        return running, foreign
