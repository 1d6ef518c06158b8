"""A pool of handler processes on the event loop of a worker, and what happened in it."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Self, TypeVar

import uvloop

from scheduler.adapters.handlers.definition import AnyDefinition
from scheduler.adapters.handlers.executors import bind
from scheduler.adapters.handlers.process.pool import PoolLimits, ProcessPool
from scheduler.adapters.handlers.registry import Registry
from scheduler.adapters.memory.recording_telemetry import RecordingTelemetry
from scheduler.application.dto import StartedJob
from scheduler.application.outcomes import Success
from scheduler.application.ports.handlers import HandlerLog, JobContext
from scheduler.application.use_cases.run_job import RunJob
from scheduler.application.worker.attempt import RunningAttempt, StopReason
from scheduler.domain.job import Job
from scheduler.domain.retry import Failure
from scheduler.domain.state import JobState
from tests.support.builders import NOW, a_job, a_worker_id

PATIENCE_SECONDS = 30.0
MINUTE = timedelta(minutes=1)
T = TypeVar("T")


@dataclass
class RecordingLog(HandlerLog):
    lines: list[tuple[str, str, dict[str, object]]] = field(default_factory=list)

    def bind(self, **fields: object) -> Self:
        raise AssertionError("the lines of a process bear all fields already")

    def debug(self, event: str, **fields: object) -> None:
        self.lines.append(("debug", event, fields))

    def info(self, event: str, **fields: object) -> None:
        self.lines.append(("info", event, fields))

    def warning(self, event: str, **fields: object) -> None:
        self.lines.append(("warning", event, fields))

    def error(self, event: str, **fields: object) -> None:
        self.lines.append(("error", event, fields))

    def exception(self, event: str, **fields: object) -> None:
        raise AssertionError("no exception is being handled here")

    def events(self) -> Sequence[str]:
        return [event for _, event, _ in self.lines]


class Bench:
    """Attempts as a worker runs them, and what was heard of them."""

    def __init__(self, limits: PoolLimits) -> None:
        self.telemetry = RecordingTelemetry()
        self.pool = ProcessPool(telemetry=self.telemetry, limits=limits)
        self.log = RecordingLog()
        self.progress: list[tuple[float, str]] = []
        self.left: list[str] = []

    async def attempt(
        self, definition: AnyDefinition, payload: str | None = None, *, limit: timedelta = MINUTE
    ) -> Success | Failure:
        registry = Registry()
        registry.register(definition.job_type, bind(definition, self.pool))
        started = StartedJob(job=a_job(JobState.RUNNING, type=definition.job_type, timeout=limit), payload=payload)
        attempt = RunningAttempt(started, overdue_at=math.inf)
        context = replace(self.context(started.job), cancellation=attempt.cancellation)
        handler = asyncio.create_task(RunJob(handlers=registry).execute(started, context))
        attempt.begin(handler)
        try:
            outcome = await asyncio.shield(attempt.outcome)
        except asyncio.CancelledError:
            attempt.stop(StopReason.REVOKED)
            await asyncio.wait([handler])
            raise
        assert isinstance(outcome, Success | Failure)
        return outcome

    async def result(self, definition: AnyDefinition, payload: str | None = None) -> str | None:
        outcome = await self.attempt(definition, payload)
        assert isinstance(outcome, Success), outcome
        return outcome.result

    async def error(self, definition: AnyDefinition, payload: str | None = None) -> str:
        outcome = await self.attempt(definition, payload)
        assert isinstance(outcome, Failure), outcome
        return outcome.error

    @asynccontextmanager
    async def running(
        self, attempt: Coroutine[object, object, Success | Failure]
    ) -> AsyncIterator[asyncio.Task[object]]:
        """Run it beside what is inside, and cancel it after that."""
        task: asyncio.Task[object] = asyncio.create_task(attempt)
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.wait([task])

    def context(self, job: Job) -> JobContext:
        return JobContext(
            attempt_id=job.attempt_id,
            job_type=job.type,
            attempt=job.attempts,
            max_attempts=job.max_attempts,
            worker_id=job.worker_id or a_worker_id(),
            deadline=NOW,
            log=self.log,
            report_progress=lambda percent, message: self.progress.append((percent, message)),
            leave_running=self._leave,
        )

    def _leave(self) -> Callable[[], None]:
        self.left.append("left")
        return lambda: self.left.append("gone")


def run(scenario: Callable[[Bench], Awaitable[T]], limits: PoolLimits | None = None) -> T:
    """Run it with a pool, which is closed after it."""

    async def main() -> T:
        bench = Bench(limits or PoolLimits())
        async with bench.pool:
            return await scenario(bench)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


async def until(condition: Callable[[], T]) -> T:
    """Wait for something true."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (found := condition()):  # noqa: ASYNC110 - other processes set no event here
            await asyncio.sleep(0.01)
    return found


def read(path: Path) -> str:
    """Return what the file holds, nothing while it is not there."""
    return path.read_text() if path.exists() else ""


def is_gone(pid: int) -> bool:
    """Tell whether the process has ended, perhaps unburied."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return status.rpartition(")")[2].split()[0] in {"Z", "X"}
