"""The three kinds of processes, alive: each does what its entrypoint does."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

from scheduler.application.deadline import time_limit
from scheduler.application.errors import StoreUnavailableError
from scheduler.application.loops import Loop
from scheduler.application.worker.lease import LeaseHolder
from scheduler.domain.errors import SchedulerError
from scheduler.domain.ids import AttemptId, JobId, WorkerId
from scheduler.domain.job import Job
from tests.simulation.host import Host, World
from tests.simulation.loop import Lane
from tests.simulation.network import Link, cause
from tests.simulation.parts import ApiParts, Parts, ReaperParts, WorkerParts

T = TypeVar("T")
CALL_SECONDS = 6.0
GRACE_SECONDS = 4.0


class Process(Host):
    """A process whose clock is set before anything else happens."""

    def _start(self, parts: Parts) -> None:
        self._parts = parts
        self.spawn(self._live(parts))

    async def _live(self, parts: Parts) -> None:
        await parts.follow_store_clock.execute()
        await self._serve()
        self.world.trace.note(self.name, "ends gracefully")
        self.die()

    async def _serve(self) -> None:
        raise AssertionError("each kind of process serves in its own way")

    async def _run_loops(self, loops: list[Loop]) -> None:
        async with asyncio.TaskGroup() as group:
            for loop in loops:
                group.create_task(loop.run(self.stopping))

    def failed(self, error: BaseException) -> None:
        """Allow for a process that cannot start without its store: whoever supervises it starts it again."""
        if not isinstance(error, StoreUnavailableError):
            super().failed(error)


class ReaperProcess(Process):
    """Does all duties."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self._start(ReaperParts(self))

    async def _serve(self) -> None:
        assert isinstance(self._parts, ReaperParts)
        await self._run_loops([self._parts.clock_loop(), *self._parts.duties()])


class ApiProcess(Process):
    """Answers clients; whoever waits for a process that dies learns nothing."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self.parts = ApiParts(self)
        self.serving = False
        self._start(self.parts)

    async def _serve(self) -> None:
        self.serving = True
        hub = self.parts.hub
        async with asyncio.TaskGroup() as group:
            group.create_task(
                self._run_loops([self.parts.clock_loop(), self.parts.loop("watch", hub.refresh_once, 0.01)])
            )
            group.create_task(hub.listen(self.stopping))
            await self.stopping.wait()
            self.serving = False
            hub.stop()

    def call(
        self, work: Callable[[ApiParts], Coroutine[Any, Any, T]], answer: Callable[[T | Exception], None], why: object
    ) -> None:
        """Serve a unary call; `answer` gets what it returns or raises, if the process lives so long."""
        self.spawn(self._answered(work, answer, why))

    async def _answered(
        self, work: Callable[[ApiParts], Coroutine[Any, Any, T]], answer: Callable[[T | Exception], None], why: object
    ) -> None:
        cause.set(why)
        try:
            with time_limit(CALL_SECONDS):
                answer(await work(self.parts))
        except SchedulerError as error:
            answer(error)

    def watch(self, job_id: JobId, after_version: int, show: Callable[[Job | Exception | None], None]) -> None:
        """Serve a stream; `show` gets each state, then None or the error that ended it."""
        self.spawn(self._watched(self.parts.watch_job.execute(job_id, after_version or None), show))

    async def _watched(self, jobs: AsyncGenerator[Job], show: Callable[[Job | Exception | None], None]) -> None:
        try:
            async with aclosing(jobs):
                async for job in jobs:
                    show(job)
        except SchedulerError as error:
            show(error)
        else:
            show(None)


class WorkerProcess(Process, LeaseHolder):
    """Runs jobs; its lease lives in a thread of its own."""

    def __init__(self, world: World, name: str, *, slots: int, weighted: bool) -> None:
        super().__init__(world, name)
        self.lease_lane = Lane(f"{name}/lease")
        self.lanes.append(self.lease_lane)
        self.lease_link = self._link(world.servers.store)
        self.worker_ids: list[WorkerId] = []
        self._leaving = asyncio.Event()
        self.parts = WorkerParts(self, slots, weighted=weighted)
        self._start(self.parts)

    def links(self) -> list[Link]:
        return [*super().links(), self.lease_link]

    async def _serve(self) -> None:
        clock = self._track(self.parts.clock_loop().run(self.stopping), self.main)
        progress = self._track(self.parts.progress.run(self._leaving), self.main)
        lease = self._track(self.parts.lease_keeper(self.lease_link).run(self, self._leaving), self.lease_lane)
        try:
            await self.parts.worker.run(self.stopping, grace_seconds=GRACE_SECONDS)
        finally:
            self._leaving.set()
        await asyncio.wait([lease, clock, progress])

    # --- what the lease's thread calls

    def _on_main(self, callback: Callable[..., None], *args: object) -> None:
        self.world.loop.call_soon_threadsafe(callback, *args, context=self.main.context)

    def lease_opened(self, worker_id: WorkerId) -> None:
        self.worker_ids.append(worker_id)
        self.world.trace.note(self.name, "lease opened", worker_id)
        self._on_main(self._opened, worker_id)

    def lease_suspended(self) -> None:
        self.world.trace.note(self.name, "lease suspended")
        self._on_main(self._suspended)

    def _opened(self, worker_id: WorkerId) -> None:
        self.world.ledger.doubted.discard(worker_id)
        self.parts.worker.lease_opened(worker_id)

    def _suspended(self) -> None:
        self.world.ledger.doubted.update(self.worker_ids)
        self.parts.worker.lease_suspended()

    def running_attempts(self) -> frozenset[AttemptId]:
        return self.parts.worker.running_attempts()

    def attempts_checked(self, *, lost: frozenset[AttemptId], strangers: frozenset[AttemptId]) -> None:
        self._on_main(lambda: self.parts.worker.attempts_checked(lost=lost, strangers=strangers))

    def has_stuck_handler(self) -> bool:
        return self.parts.worker.has_stuck_handler()

    def handler_stuck(self) -> None:
        self.world.trace.note(self.name, "handler stuck")
        self.trouble("stuck")
        self.die()
