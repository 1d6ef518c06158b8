"""What a worker's process shows to those who watch it."""

import asyncio
import http.client
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from scheduler.adapters.embedded.ports import free_port
from scheduler.adapters.handlers.registry import Registry
from scheduler.adapters.http.progress import LoopProgress
from scheduler.adapters.memory.fixed_clock import FixedClock
from scheduler.adapters.memory.worker_registry import MemoryWorkerRegistry
from scheduler.application.ports.handlers import Handler, JobContext
from scheduler.application.use_cases.submit_jobs import SubmitCommand
from scheduler.domain.ids import WorkerId
from scheduler.domain.priority import Priority
from scheduler.domain.submission import Submission
from scheduler.entrypoints.container import Container
from scheduler.entrypoints.container.common import Common
from scheduler.entrypoints.container.memory_adapters import MemoryAdapters
from scheduler.entrypoints.process import ProcessOptions
from scheduler.entrypoints.settings import Settings
from scheduler.entrypoints.worker import serve_worker
from tests.unit.application.gate import Gate
from tests.unit.application.workshop import ManualHandler

LONG = timedelta(hours=1)


class WorkerProcess:
    """A worker in this process, with the clock of its health in the test's hands."""

    def __init__(self) -> None:
        settings = Settings(metrics_host="127.0.0.1", grace_seconds=60, lease_seconds=4)
        common = Common(settings=settings, options=ProcessOptions())
        self.adapters = adapters = MemoryAdapters(common=common)
        self.container = Container(common=common, adapters=adapters)
        self.clock = FixedClock()
        self.gate = Gate()
        self.handler = ManualHandler()
        self.stopping = asyncio.Event()
        self._port = free_port()
        handlers = Registry()
        handlers.register("manual", self.handler)
        common.handlers.override(handlers)
        common.progress.override(LoopProgress(self.clock))
        adapters.queue.override(self.gate.guard(adapters.queue()))

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            group.create_task(serve_worker(self.container, self.stopping, metrics_port=self._port))
            try:
                yield
            finally:
                self.handler.end()
                self.stopping.set()

    async def shows(self, path: str, status: int) -> None:
        """Wait until the path answers with the status."""
        async with asyncio.timeout(30):
            while await asyncio.to_thread(self.get, path) != status:  # noqa: ASYNC110 - asked over HTTP
                await asyncio.sleep(0.01)

    async def is_stuck(self, *loops: str) -> None:
        """Wait until just these loops are stuck."""
        async with asyncio.timeout(30):
            while self.container.common.progress().stuck() != list(loops):  # noqa: ASYNC110 - other threads beat
                await asyncio.sleep(0.01)

    def get(self, path: str, *, timeout: float = 10) -> int | None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=timeout)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except ConnectionRefusedError:
            return None
        finally:
            connection.close()


def test_a_stuck_claim_loop_makes_the_worker_unhealthy_until_it_goes_on() -> None:
    async def scenario() -> None:
        process = WorkerProcess()
        hold = process.gate.hold("claim")
        async with process.serving():
            await hold.reached()
            await process.shows("/health", 200)
            await process.shows("/ready", 200)
            process.clock.advance(timedelta(seconds=61))
            await process.shows("/health", 503)
            hold.let_go()
            await process.shows("/health", 200)

    asyncio.run(scenario())


def test_a_paused_lease_thread_makes_the_worker_unhealthy_until_it_goes_on() -> None:
    async def scenario() -> None:
        process = WorkerProcess()
        paused, go_on = threading.Event(), threading.Event()

        class Pausing(MemoryWorkerRegistry):
            async def renew(self, worker_id: WorkerId, lease: timedelta) -> bool:
                paused.set()
                go_on.wait(30)
                return await super().renew(worker_id, lease)

        process.adapters.registry.override(Pausing(process.adapters.store()))
        async with process.serving():
            assert await asyncio.to_thread(paused.wait, 30)
            await process.shows("/health", 200)
            process.clock.advance(timedelta(seconds=9))
            await process.is_stuck("lease")
            assert await asyncio.to_thread(process.get, "/health") == 503
            go_on.set()
            await process.shows("/health", 200)

    asyncio.run(scenario())


class Blocking(Handler):
    """Holds the event loop until told to let go."""

    def __init__(self) -> None:
        self.blocks = threading.Event()
        self.let_go = threading.Event()

    async def run(self, payload: str | None, context: JobContext) -> str | None:
        self.blocks.set()
        self.let_go.wait(30)
        return payload


def test_a_worker_whose_event_loop_a_handler_blocks_never_says_that_it_is_well() -> None:
    process = WorkerProcess()
    handler = Blocking()
    handlers = Registry()
    handlers.register("blocking", handler)
    process.container.common.handlers.override(handlers)
    said: list[object] = []

    def outside() -> None:
        """See what a probe and the watchdog see, for nothing on the loop can."""
        assert handler.blocks.wait(30)
        try:
            said.append(process.get("/health", timeout=0.5))
        except TimeoutError:
            said.append("nothing")
        process.clock.advance(timedelta(seconds=61))
        said.append("event_loop" in process.container.common.progress().stuck())
        handler.let_go.set()

    async def scenario() -> None:
        async with process.serving():
            watcher = threading.Thread(target=outside)
            watcher.start()
            submission = Submission(type="blocking", priority=Priority.HIGH)
            await process.container.submit_jobs().execute([SubmitCommand(submission=submission)])
            await asyncio.to_thread(watcher.join)
            await process.shows("/health", 200)

    asyncio.run(scenario())
    assert said == ["nothing", True]


def test_a_draining_worker_is_not_ready_and_stays_healthy_however_long_its_handlers_take() -> None:
    async def scenario() -> None:
        process = WorkerProcess()
        submission = Submission(type="manual", priority=Priority.HIGH)
        async with process.serving():
            await process.container.submit_jobs().execute([SubmitCommand(submission=submission)])
            async with asyncio.timeout(30):
                while not process.handler.contexts:  # noqa: ASYNC110 - on this loop, but in real time
                    await asyncio.sleep(0.01)
            await process.shows("/ready", 200)
            process.stopping.set()
            await process.shows("/ready", 503)
            process.clock.advance(LONG)
            await process.shows("/health", 200)
            assert process.handler.cancellations == 0

    asyncio.run(scenario())
