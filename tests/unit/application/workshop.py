"""A whole worker over memory, lease and all, and a handler that does as it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta

from scheduler.adapters.http.progress import LoopProgress
from scheduler.adapters.memory.fixed_clock import FixedClock
from scheduler.application.dto import StartedJob, WorkerInfo
from scheduler.application.loops import LoopServices
from scheduler.application.ports.handlers import Handler, JobContext
from scheduler.application.worker.claim_loop import LOOP, ClaimLoop
from scheduler.application.worker.ending import Ending
from scheduler.application.worker.lease import LeaseKeeper
from scheduler.application.worker.orphans import ReleaseOrphans
from scheduler.application.worker.wakeups import Wakeups
from scheduler.application.worker.worker import Worker
from scheduler.domain.ids import JobId
from scheduler.domain.lease import LeaseTerms
from tests.acceptance.virtual_time import VirtualTimeLoop
from tests.support.builders import a_worker
from tests.unit.application.shop import Shop

MANUAL = "manual"
LEASE_SECONDS = 12.0


class ManualHandler(Handler):
    """Runs each job until it is told to end; `stubborn` ones do not heed their cancellation."""

    def __init__(self) -> None:
        self.contexts: list[JobContext] = []
        self.stubborn = False
        self.cancellations = 0
        self.error: Exception | None = None
        self.fails_when_cancelled: Exception | None = None
        self._end = asyncio.Event()

    async def run(self, payload: str | None, context: JobContext) -> str | None:
        self.contexts.append(context)
        while not self._end.is_set():
            try:
                await self._end.wait()
            except asyncio.CancelledError:
                self.cancellations += 1
                if self.fails_when_cancelled is not None:
                    raise self.fails_when_cancelled from None
                if not self.stubborn:
                    raise
        if self.error is not None:
            raise self.error
        return payload

    def end(self) -> None:
        """Let all runs end well, now and later."""
        self._end.set()


class Workshop(Shop):
    """One worker process."""

    def __init__(self, *, slots: int, clock: FixedClock) -> None:
        super().__init__(slots=slots, clock=clock)
        self.manual = ManualHandler()
        self.handlers.register(MANUAL, self.manual)
        self.progress = LoopProgress(clock)
        self.progress.register(LOOP, max_silence=timedelta(seconds=60))
        self.services = LoopServices(faults=self.telemetry, progress=self.progress, randomness=self.randomness)
        self.wakeups = Wakeups(bus=self.bus, randomness=self.randomness, faults=self.telemetry)
        self.claim_loop = ClaimLoop(
            table=self.table,
            start_jobs=self.start_jobs,
            runner=self.runner,
            wakeups=self.wakeups,
            store_time=self.store_time,
            services=self.services,
        )
        self.orphans = ReleaseOrphans(
            repository=self.repository,
            start_jobs=self.start_jobs,
            finish_jobs=self.finish_jobs,
            table=self.table,
            clock=self.clock,
        )
        self.worker = Worker(
            table=self.table,
            stragglers=self.stragglers,
            runner=self.runner,
            claim_loop=self.claim_loop,
            wakeups=self.wakeups,
            orphans=self.orphans,
            cancellations=self.cancellations,
            clock=self.clock,
            services=self.services,
        )
        self.opened: list[WorkerInfo] = []
        self.stopping = asyncio.Event()
        self.ended: asyncio.Task[Ending] | None = None

    def keeper(self) -> LeaseKeeper:
        """Make the keeper of this worker's lease."""
        return LeaseKeeper(
            registry=self.registry,
            describe=self._describe,
            terms=LeaseTerms(timedelta(seconds=LEASE_SECONDS)),
            clock=self.clock,
            randomness=self.randomness,
            telemetry=self.telemetry,
            progress=self.progress,
        )

    def _describe(self) -> WorkerInfo:
        self.opened.append(a_worker(self.ids.worker_id()))
        return self.opened[-1]

    @asynccontextmanager
    async def working(self, *, grace_seconds: float = 5.0) -> AsyncIterator[None]:
        """Run the worker beside what is inside, and stop it after that unless it was stopped there."""
        leaving = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            self.ended = group.create_task(self.worker.run(self.stopping, grace_seconds=grace_seconds))
            group.create_task(self.keeper().run(self.worker, leaving))
            try:
                yield
            finally:
                self.stopping.set()
                await self.ended
                leaving.set()

    async def has_ended(self) -> Ending:
        """Wait for the worker's own end."""
        assert self.ended is not None
        return await self.ended

    async def submit_manual(self) -> JobId:
        """Submit a job for the handler that does as it is told."""
        return await self.submit(type=MANUAL)

    async def start_one(self) -> StartedJob:
        """Start a queued job as this worker's claim loop would."""
        (started,) = (await self.start_jobs.execute(self.worker_id, 1)).jobs
        return started


async def until(condition: Callable[[], bool], *, seconds: float = 300.0) -> None:
    """Wait for a condition, in virtual time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - any condition at all, and virtual time costs nothing
            await asyncio.sleep(0.01)


def with_a_worker(scenario: Callable[[Workshop], Coroutine[None, None, None]], *, slots: int = 2) -> None:
    """Run the scenario in virtual time; a stubborn handler that is left over is told to end."""
    clock = FixedClock()

    async def run() -> None:
        workshop = Workshop(slots=slots, clock=clock)
        try:
            await scenario(workshop)
        finally:
            workshop.manual.end()

    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(clock)) as runner:
        runner.run(run())
