"""What a worker's process shows to those who watch it."""

import asyncio
import http.client
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from scheduler.adapters.embedded.ports import free_port
from scheduler.adapters.handlers.registry import Registry
from scheduler.adapters.http.progress import LoopProgress
from scheduler.adapters.memory.fixed_clock import FixedClock
from scheduler.application.use_cases.submit_jobs import SubmitCommand
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
        settings = Settings(metrics_host="127.0.0.1", grace_seconds=60)
        common = Common(settings=settings, options=ProcessOptions())
        adapters = MemoryAdapters(common=common)
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
            while await asyncio.to_thread(self._get, path) != status:  # noqa: ASYNC110 - asked over HTTP
                await asyncio.sleep(0.01)

    def _get(self, path: str) -> int | None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
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
