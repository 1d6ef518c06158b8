"""The thread in which a worker's lease lives, with an event loop and a connection of its own."""

import asyncio
import random
import threading
from collections.abc import Callable
from contextlib import suppress

import structlog

from scheduler.application.errors import StoreUnavailableError
from scheduler.application.loops import spread, wait_until
from scheduler.application.ports.health import Progress
from scheduler.application.worker.lease import LOOP, LeaseHolder, LeaseKeeper
from scheduler.application.worker.worker import Worker
from scheduler.domain.ids import AttemptId, WorkerId
from scheduler.entrypoints.resources import LeaseConnection
from scheduler.entrypoints.runtime import EXIT_UNFIT, leave

STOP_SECONDS = 10.0
RETRY_SECONDS = 0.5

KeeperFactory = Callable[..., LeaseKeeper]


class _OnWorkersLoop(LeaseHolder):
    """Passes what the lease says to the worker, on the worker's own event loop."""

    def __init__(self, worker: Worker, loop: asyncio.AbstractEventLoop) -> None:
        self._worker = worker
        self._loop = loop

    def lease_opened(self, worker_id: WorkerId) -> None:
        self._loop.call_soon_threadsafe(self._worker.lease_opened, worker_id)

    def lease_suspended(self) -> None:
        self._loop.call_soon_threadsafe(self._worker.lease_suspended)

    def running_attempts(self) -> frozenset[AttemptId]:
        return self._worker.running_attempts()

    def attempts_checked(self, *, lost: frozenset[AttemptId], strangers: frozenset[AttemptId]) -> None:
        self._loop.call_soon_threadsafe(lambda: self._worker.attempts_checked(lost=lost, strangers=strangers))

    def has_stuck_handler(self) -> bool:
        return self._worker.has_stuck_handler()

    def handler_stuck(self) -> None:
        structlog.get_logger("scheduler").critical("handler_stuck", exit_code=EXIT_UNFIT)
        leave(EXIT_UNFIT)


class LeaseThread:
    """Keeps the lease from `start` to `stop`. If the keeper itself fails, the process ends."""

    def __init__(
        self,
        *,
        connect: Callable[[], LeaseConnection],
        make_keeper: KeeperFactory,
        worker: Worker,
        progress: Progress,
    ) -> None:
        self._connect = connect
        self._make_keeper = make_keeper
        self._progress = progress
        self._workers_loop = asyncio.get_running_loop()
        self._holder = _OnWorkersLoop(worker, self._workers_loop)
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        # Events of the worker's loop: handlers may hold all threads in which one could wait for this thread.
        self._started, self._ended = asyncio.Event(), asyncio.Event()

    async def start(self) -> None:
        """Start the thread and wait until it works."""
        self._thread.start()
        await self._started.wait()

    async def stop(self) -> None:
        """Close the lease and end the thread."""
        if self._loop is not None and self._stopping is not None:
            _call(self._loop, self._stopping.set)
        await wait_until(self._ended, STOP_SECONDS)

    def _run(self) -> None:
        try:
            asyncio.run(self._keep())
        except BaseException as error:  # noqa: BLE001 - without its lease the process must not go on
            structlog.get_logger("scheduler").critical("lease_thread_failed", error=str(error), exc_info=error)
            leave(EXIT_UNFIT)
        _call(self._workers_loop, self._ended.set)

    async def _keep(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        _call(self._workers_loop, self._started.set)
        connection = self._connect()
        try:
            await self._open(connection, self._stopping)
            if not self._stopping.is_set():
                await self._make_keeper(registry=connection.registry).run(self._holder, self._stopping)
        finally:
            await connection.close()

    async def _open(self, connection: LeaseConnection, stopping: asyncio.Event) -> None:
        """Connect, however long the store is away, unless asked to stop: until then this worker starts nothing."""
        while not stopping.is_set():
            self._progress.beat(LOOP)
            try:
                return await connection.open()
            except StoreUnavailableError as error:
                structlog.get_logger("scheduler").warning("lease_waits_for_store", error=str(error))
                await wait_until(stopping, spread(RETRY_SECONDS, random.random()))  # noqa: S311 - spreads load
        return None


def _call(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    """Call it on the loop of another thread, unless that is over."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(callback)
