"""The store and the queue: the memory adapters behind a network, each with a clock of its own."""

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TypeVar

from scheduler.adapters.memory.job_reader import MemoryJobReader
from scheduler.adapters.memory.job_sweeper import MemoryJobSweeper
from scheduler.adapters.memory.queue_epoch import MemoryQueueEpoch
from scheduler.adapters.memory.queue_state import MemoryQueueState, QueueData
from scheduler.adapters.memory.store import MemoryData, MemoryStore
from scheduler.adapters.memory.store_time import MemoryStoreTime
from scheduler.application.ports.clock import Clock
from scheduler.domain.ids import JobId
from scheduler.domain.job import Job
from tests.simulation.bus import HintServer
from tests.simulation.engine import Engine
from tests.simulation.journal import (
    Journal,
    WatchedEndedJobs,
    WatchedMaintenance,
    WatchedQueue,
    WatchedRegistry,
    WatchedRepository,
)
from tests.simulation.loop import SimulationLoop
from tests.simulation.network import Server, at_once

T = TypeVar("T")
CLOSED_WITHIN = timedelta(seconds=5)
"""Instead of an hour, so that runs see what lies beyond: jobs of workers that were closed long ago."""
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class ServerClock(Clock):
    """True time, until somebody sets it."""

    def __init__(self, loop: SimulationLoop) -> None:
        self._loop = loop
        self.offset = timedelta(0)
        self.jumps: list[float] = []
        self._offsets = [(0.0, self.offset)]
        self.was_set_back = False
        self._standing_at: datetime | None = None

    @contextmanager
    def standing_at(self, moment: datetime) -> Iterator[None]:
        """Stand still while inside: in a statement it is always as late as when it began."""
        self._standing_at = moment
        try:
            yield
        finally:
            self._standing_at = None

    def now(self) -> datetime:
        if self._standing_at is not None:
            return self._standing_at
        return BEGIN + timedelta(seconds=self._loop.time()) + self.offset

    def monotonic(self) -> float:
        return self._loop.time()

    def jump(self, by: timedelta) -> None:
        self.offset += by
        self.was_set_back |= by < timedelta(0)
        self.jumps.append(self._loop.time())
        self._offsets.append((self._loop.time(), self.offset))

    def seconds_of(self, moment: datetime, at: float) -> float:
        """Return when a moment is, or was, by the loop's time, as the clock stood at `at`."""
        offset = next(offset for since, offset in reversed(self._offsets) if since <= at)
        return (moment - BEGIN - offset).total_seconds()


class Servers:
    """All that the processes share."""

    def __init__(self, loop: SimulationLoop, rng: Random) -> None:
        self.store, self.queue_server = Server("store", loop), Server("queue", loop)
        self.journal = Journal(loop.time)
        self.clock = ServerClock(loop)
        self.data = MemoryStore(self.clock)
        self.engine = Engine(loop, self.store, self.clock, self.rows, rng)
        self.queue_state = MemoryQueueState(ServerClock(loop))
        self.hints = HintServer(loop, rng)
        self.repository = WatchedRepository(self.data, self.journal, self.store)
        self.ended = WatchedEndedJobs(self.data, self.journal, self.store)
        self.registry = WatchedRegistry(self.data, self.journal)
        self.reader = MemoryJobReader(self.data)
        self.sweeper = MemoryJobSweeper(self.data)
        self.store_time = MemoryStoreTime(self.data)
        self.queue = WatchedQueue(self.queue_state, self.hints, self.journal)
        self.maintenance = WatchedMaintenance(self.queue_state, self.hints, self.journal)
        self.epoch = MemoryQueueEpoch(self.queue_state)

    def jobs(self) -> dict[JobId, Job]:
        """Return every job as it stands now."""
        return {job_id: row.job for job_id, row in self.rows().jobs.items()}

    def rows(self) -> MemoryData:
        """Return all that the store holds, to be read between two steps of the loop."""
        return at_once(_inside(self.data.statement()))

    def queue_data(self) -> QueueData:
        """Return all that the queue holds, the same way."""
        return at_once(_inside(self.queue_state.command()))

    def flush(self) -> None:
        """Lose all of the queue's data."""
        self.queue_state.lose_everything()
        self.journal.hands.clear()


async def _inside(opened: AbstractAsyncContextManager[T]) -> T:
    async with opened as data:
        return data
