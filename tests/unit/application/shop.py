"""The use cases over memory, with a switch in front of the store and one in front of the queue."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta

from scheduler.adapters.handlers.registry import Registry
from scheduler.adapters.http.progress import LoopProgress
from scheduler.adapters.memory.fixed_clock import FixedClock
from scheduler.adapters.memory.fixed_randomness import FixedRandomness
from scheduler.adapters.memory.sequential_ids import SequentialIds
from scheduler.application.best_effort import BestEffortQueue
from scheduler.application.loops import LoopServices
from scheduler.application.outcomes import AttemptResult, Released, Success
from scheduler.application.ports.handlers import Handler, JobContext, SilentLog
from scheduler.application.transitions import Transitions
from scheduler.application.use_cases.finish_jobs import FinishJobs
from scheduler.application.use_cases.run_job import RunJob
from scheduler.application.use_cases.start_jobs import StartJobs
from scheduler.application.use_cases.submit_jobs import SubmitCommand, SubmitJobs
from scheduler.application.worker.attempts import AttemptTable
from scheduler.application.worker.cancellations import MeasureCancellations
from scheduler.application.worker.progress import ProgressBoard
from scheduler.application.worker.runner import AttemptRunner
from scheduler.application.worker.stragglers import Stragglers
from scheduler.domain.ids import JobId, WorkerId
from scheduler.domain.job import Job
from scheduler.domain.priority import StrictOrder
from scheduler.domain.retry import Failure
from tests.acceptance.virtual_time import VirtualTimeLoop
from tests.support.builders import a_change, a_submission, a_worker_id
from tests.unit.application.servers import Servers


class ScriptedHandler(Handler):
    """Does what the test gave it to do."""

    def __init__(self) -> None:
        self.result: str | None = None
        self.error: BaseException | None = None

    async def run(self, payload: str | None, context: JobContext) -> str | None:
        """Raise or return."""
        if self.error is not None:
            raise self.error
        return self.result


class Shop(Servers):
    """Everything that a test of the application needs; belongs to one event loop."""

    def __init__(self, *, slots: int = 2, clock: FixedClock | None = None) -> None:
        super().__init__(clock or FixedClock())
        self.ids = SequentialIds()
        self.randomness = FixedRandomness()
        self.best_effort = BestEffortQueue(queue=self.queue, bus=self.bus, faults=self.telemetry)
        self.transitions = Transitions(repository=self.repository, ids=self.ids)
        self.handler = ScriptedHandler()
        self.handlers = Registry()
        self.handlers.register("email.send", self.handler)
        self.submit_jobs = SubmitJobs(
            repository=self.repository,
            queue=self.best_effort,
            clock=self.clock,
            ids=self.ids,
            telemetry=self.telemetry,
        )
        self.start_jobs = StartJobs(
            repository=self.repository,
            sweeper=self.sweeper,
            handlers=self.handlers,
            queue=self.queue,
            best_effort=self.best_effort,
            transitions=self.transitions,
            clock=self.clock,
            order=StrictOrder(),
            telemetry=self.telemetry,
            faults=self.telemetry,
        )
        self.finish_jobs = FinishJobs(
            repository=self.repository,
            queue=self.best_effort,
            transitions=self.transitions,
            telemetry=self.telemetry,
        )
        services = LoopServices(faults=self.telemetry, progress=LoopProgress(self.clock), randomness=self.randomness)
        self.board = ProgressBoard(
            repository=self.repository, queue=self.best_effort, clock=self.clock, services=services
        )
        self.stragglers = Stragglers(slots=slots, telemetry=self.telemetry)
        self.table = AttemptTable(slots, self.stragglers)
        self.cancellations = MeasureCancellations(
            repository=self.repository, clock=self.clock, telemetry=self.telemetry
        )
        self.runner = AttemptRunner(
            table=self.table,
            stragglers=self.stragglers,
            cancellations=self.cancellations,
            run_job=RunJob(handlers=self.handlers),
            finish_jobs=self.finish_jobs,
            progress=self.board,
            clock=self.clock,
            randomness=self.randomness,
            telemetry=self.telemetry,
            faults=self.telemetry,
            log=SilentLog(),
        )
        self.worker_id: WorkerId = a_worker_id()

    async def submit(self, **fields: object) -> JobId:
        """Submit one job and return its id."""
        (outcome,) = await self.submit_jobs.execute([SubmitCommand(submission=a_submission(**fields))])  # type: ignore[arg-type] # the builder checks them
        return outcome.job_id

    async def moved(self, before: Job, after: Job) -> Job:
        """Store a transition; return the job as it stands then."""
        change = a_change(before, after)
        assert await self.stored.apply([change])
        return change.stored_job

    def result(self, job: Job, outcome: Success | Failure | Released) -> AttemptResult:
        """Make the result of a running job, as of now."""
        return AttemptResult(job=job, outcome=outcome, ended_at=self.clock.now(), draw=0.5)

    def later(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(timedelta(seconds=seconds))


async def settled(rounds: int = 50) -> None:
    """Let everything that can go on do so."""
    for _ in range(rounds):
        await asyncio.sleep(0)


def in_virtual_time(scenario: Callable[[Shop], Coroutine[None, None, None]], *, slots: int = 2) -> None:
    """Run the scenario where no time is lost, and where a wait that nothing can end is an error."""
    clock = FixedClock()

    async def run() -> None:
        await scenario(Shop(slots=slots, clock=clock))

    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(clock)) as runner:
        runner.run(run())
