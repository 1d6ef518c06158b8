"""From a started job to its recorded result."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from scheduler.application.current_trace import current_trace
from scheduler.application.dto import StartedJob
from scheduler.application.errors import OverloadedError, StoreRejectedError, StoreUnavailableError
from scheduler.application.group_commit import FlushLimits, GroupCommit, byte_length
from scheduler.application.loops import spread
from scheduler.application.outcomes import AttemptResult
from scheduler.application.ports.clock import Clock
from scheduler.application.ports.handlers import HandlerLog, JobContext
from scheduler.application.ports.randomness import Randomness
from scheduler.application.ports.telemetry import FaultTelemetry, WorkerTelemetry
from scheduler.application.ports.tracing import AttemptSpan, Tracing
from scheduler.application.untraced import UNTRACED
from scheduler.application.use_cases.finish_jobs import FinishJobs
from scheduler.application.use_cases.run_job import RunJob
from scheduler.application.worker.attempt import Outcome, RunningAttempt, StopReason
from scheduler.application.worker.attempts import AttemptTable
from scheduler.application.worker.cancellations import MeasureCancellations
from scheduler.application.worker.progress import ProgressBoard
from scheduler.application.worker.stragglers import Stragglers
from scheduler.domain.errors import SchedulerError
from scheduler.domain.ids import WorkerId
from scheduler.domain.retry import Failure, FailureKind
from scheduler.domain.trace import TraceContext

STUCK_AFTER = timedelta(seconds=30)
"""An attempt that is not over this long after its deadline keeps the event loop from deciding it."""
RECORD_RETRY_SECONDS = 0.5
_ROW_OVERHEAD_BYTES = 256


class AttemptRunner:
    """Runs each job and keeps its slot until the result is recorded or refused, whatever the handler does then."""

    def __init__(
        self,
        *,
        table: AttemptTable,
        stragglers: Stragglers,
        cancellations: MeasureCancellations,
        run_job: RunJob,
        finish_jobs: FinishJobs,
        progress: ProgressBoard,
        clock: Clock,
        randomness: Randomness,
        telemetry: WorkerTelemetry,
        faults: FaultTelemetry,
        log: HandlerLog,
        tracing: Tracing = UNTRACED,
        stuck_after: timedelta = STUCK_AFTER,
    ) -> None:
        self._table = table
        self._stragglers = stragglers
        self._cancellations = cancellations
        self._run_job = run_job
        self._finish_jobs = finish_jobs
        self._progress = progress
        self._clock = clock
        self._randomness = randomness
        self._telemetry = telemetry
        self._faults = faults
        self._log = log
        self._tracing = tracing
        self._stuck_after = stuck_after
        self._tasks: set[asyncio.Task[None]] = set()
        self._results = GroupCommit[AttemptResult, None](
            self._flush, size_of=_size_of, limits=FlushLimits(), name="finish_jobs", tracing=tracing
        )

    def launch(self, started: StartedJob, worker_id: WorkerId) -> None:
        """Take a slot and run the job in it."""
        overdue_at = self._clock.monotonic() + (started.job.timeout + self._stuck_after).total_seconds()
        attempt = RunningAttempt(started, overdue_at=overdue_at)
        self._table.add(attempt)
        self._telemetry.inflight(len(self._table))
        span = self._tracing.attempt(started)
        with span.current():
            if attempt.stop_reason is None:
                context = self._context(attempt, worker_id, span.trace)
                attempt.begin(asyncio.create_task(self._run_job.execute(started, context)))
            task = asyncio.create_task(self._live(attempt, span))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def record(self, result: AttemptResult) -> None:
        """Record a result; wait for the store as long as it takes. Returns when it is accepted or refused as stale."""
        while True:
            try:
                return await self._results.commit([result])
            except (StoreUnavailableError, OverloadedError) as error:
                pause = spread(RECORD_RETRY_SECONDS, self._randomness.draw())
                self._faults.fault("results_wait_for_store", error, retry_in=timedelta(seconds=pause))
                await asyncio.sleep(pause)

    def abandon(self) -> None:
        """Cancel what is left, results included: the process ends and its lease is closed or runs out."""
        for task in tuple(self._tasks):
            task.cancel()
        for attempt in (*self._table, *self._stragglers):
            attempt.cancel_handler()

    async def _live(self, attempt: RunningAttempt, span: AttemptSpan) -> None:
        outcome: Outcome | None = None
        try:
            outcome = await attempt.outcome
            if attempt.handler_runs:
                self._stragglers.add(attempt, self._table.changed.set)
            if outcome is not None:
                await self._record_or_fail(self._result(attempt, outcome))
        except Exception as error:  # noqa: BLE001 - the outermost frame of the task: the store shows it to us as an orphan
            self._faults.fault("result_lost", error)
        finally:
            self._free(attempt)
            span.end(outcome)

    def _free(self, attempt: RunningAttempt) -> None:
        self._progress.close(attempt.started.attempt_id)
        self._table.remove(attempt)
        self._telemetry.inflight(len(self._table))
        if attempt.stop_reason is StopReason.REVOKED:
            self._cancellations.note(attempt.started.attempt_id)

    def _result(self, attempt: RunningAttempt, outcome: Outcome) -> AttemptResult:
        return AttemptResult(
            job=attempt.started.job,
            outcome=outcome,
            ended_at=self._clock.now(),
            draw=self._randomness.draw(),
            progress=self._progress.hand_over(attempt.started.attempt_id),
            trace=current_trace(),
        )

    async def _record_or_fail(self, result: AttemptResult) -> None:
        try:
            await self.record(result)
        except StoreRejectedError as error:
            self._faults.fault("result_refused_by_store", error)
            failure = Failure(kind=FailureKind.ERROR, error="the store refused the result")
            await self.record(replace(result, outcome=failure))

    def _context(self, attempt: RunningAttempt, worker_id: WorkerId, trace: TraceContext | None) -> JobContext:
        job = attempt.started.job
        return JobContext(
            attempt_id=job.attempt_id,
            job_type=job.type,
            attempt=job.attempts,
            max_attempts=job.max_attempts,
            worker_id=worker_id,
            deadline=job.updated_at + job.timeout,
            monotonic_deadline=time.monotonic() + job.timeout.total_seconds(),
            trace=trace,
            log=self._log,
            cancellation=attempt.cancellation,
            report_progress=self._progress.open(job),
            leave_running=attempt.leave_running,
        )

    async def _flush(self, requests: Sequence[Sequence[AttemptResult]]) -> Sequence[SchedulerError | None]:
        await self._finish_jobs.execute([result for request in requests for result in request])
        return [None] * len(requests)


def _size_of(result: AttemptResult) -> int:
    return _ROW_OVERHEAD_BYTES + byte_length(result.result or "")
