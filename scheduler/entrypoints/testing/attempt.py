"""One attempt of one handler, as a worker would run it."""

import asyncio
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from pydantic_core import to_json

from scheduler.adapters.handlers.definition import AnyDefinition
from scheduler.adapters.system.ids import Uuid4Ids
from scheduler.application.dto import StartedJob
from scheduler.application.outcomes import Success
from scheduler.application.ports.handlers import HandlerLog, JobContext, SilentLog
from scheduler.application.worker.attempt import Outcome, RunningAttempt
from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.job import Job
from scheduler.domain.priority import Priority
from scheduler.domain.retry import Failure, FailureKind
from scheduler.domain.submission import DEFAULT_MAX_ATTEMPTS, DEFAULT_TIMEOUT, Submission
from scheduler.entrypoints.container import build_container
from scheduler.entrypoints.process import Backend, ProcessOptions
from scheduler.entrypoints.settings import Settings

ProgressReport = Callable[[float, str], None]
_OUTCOMES = {
    FailureKind.ERROR: AttemptOutcome.RETRY,
    FailureKind.TIMEOUT: AttemptOutcome.TIMED_OUT,
    FailureKind.PERMANENT: AttemptOutcome.FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerRun:
    """What became of an attempt: RETRY stands for every error that another attempt may cure."""

    outcome: AttemptOutcome
    result: object = None
    """As read from its JSON."""
    error: str = ""
    retry_after: timedelta | None = None
    """The delay that the handler asked for."""
    progress: tuple[tuple[float, str], ...] = ()
    """Each percent and message that it told."""


def job_context(
    job_type: str = "test",
    *,
    attempt: int = 1,
    max_attempts: int = DEFAULT_MAX_ATTEMPTS,
    timeout: timedelta = DEFAULT_TIMEOUT,
    log: HandlerLog | None = None,
) -> JobContext:
    """Make the context of an attempt that has just begun, to call a handler with."""
    submission = Submission(
        type=job_type, priority=Priority.DEFAULT, max_attempts=max(attempt, max_attempts), timeout=timeout
    )
    return _context(_started(submission, attempt), log=log or SilentLog())


async def run_handler(
    definition: AnyDefinition,
    payload: object = None,
    *,
    attempt: int = 1,
    max_attempts: int = DEFAULT_MAX_ATTEMPTS,
    timeout: timedelta = DEFAULT_TIMEOUT,  # noqa: ASYNC109 - the job's, as a submission names it
) -> HandlerRun:
    """Run a handler once: payload and result go through JSON, with all checks and limits of a worker."""
    text = None if payload is None else to_json(payload, inf_nan_mode="constants").decode()
    submission = Submission(
        type=definition.job_type,
        priority=Priority.DEFAULT,
        payload=text,
        max_attempts=max(attempt, max_attempts),
        timeout=timeout,
    )
    told: list[tuple[float, str]] = []
    job = _started(submission, attempt)
    started = StartedJob(job=job, payload=text)
    running = RunningAttempt(started, overdue_at=math.inf)
    context = replace(
        _context(job, report=lambda percent, message: told.append((percent, message))),
        cancellation=running.cancellation,
        leave_running=running.leave_running,
    )
    container = build_container(Settings(), backend=Backend.MEMORY, options=ProcessOptions(handlers=[definition]))
    try:
        running.begin(asyncio.create_task(container.run_job().execute(started, context)))
        outcome = await running.outcome
    finally:
        # What was left behind may end.
        running.tell_handler()
        await container.common.handler_processes().close()
    return _as_run(outcome, tuple(told))


def run_handler_sync(
    definition: AnyDefinition,
    payload: object = None,
    *,
    attempt: int = 1,
    max_attempts: int = DEFAULT_MAX_ATTEMPTS,
    timeout: timedelta = DEFAULT_TIMEOUT,
) -> HandlerRun:
    """Do the same where no event loop runs."""
    return asyncio.run(run_handler(definition, payload, attempt=attempt, max_attempts=max_attempts, timeout=timeout))


def _started(submission: Submission, attempt: int) -> Job:
    ids, now = Uuid4Ids(), datetime.now(UTC)
    job = replace(submission.accept(ids.job_id(), ids.op_id(), now, 0), attempts=attempt - 1)
    return job.start(ids.worker_id(), now)


def _context(job: Job, *, log: HandlerLog | None = None, report: ProgressReport = lambda *_: None) -> JobContext:
    return JobContext(
        attempt_id=job.attempt_id,
        job_type=job.type,
        attempt=job.attempts,
        max_attempts=job.max_attempts,
        worker_id=job.worker_id or Uuid4Ids().worker_id(),
        deadline=job.updated_at + job.timeout,
        monotonic_deadline=time.monotonic() + job.timeout.total_seconds(),
        log=log or SilentLog(),
        report_progress=report,
    )


def _as_run(outcome: Outcome | None, progress: tuple[tuple[float, str], ...]) -> HandlerRun:
    match outcome:
        case Success():
            result = None if outcome.result is None else json.loads(outcome.result)
            return HandlerRun(outcome=AttemptOutcome.SUCCEEDED, result=result, progress=progress)
        case Failure():
            return HandlerRun(
                outcome=_OUTCOMES[outcome.kind], error=outcome.error, retry_after=outcome.retry_after, progress=progress
            )
        case _:  # no worker is there to stop it
            return HandlerRun(outcome=AttemptOutcome.CANCELLED, progress=progress)
