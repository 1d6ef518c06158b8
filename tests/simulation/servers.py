"""The store and the queue: the memory adapters behind a network, each with a clock of its own."""

from contextlib import AbstractAsyncContextManager
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
from tests.simulation.journal import Journal, WatchedMaintenance, WatchedQueue, WatchedRegistry, WatchedRepository
from tests.simulation.loop import SimulationLoop
from tests.simulation.network import Server, at_once

T = TypeVar("T")
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class ServerClock(Clock):
    """True time, until somebody sets it."""

    def __init__(self, loop: SimulationLoop) -> None:
        self._loop = loop
        self.offset = timedelta(0)
        self.jumps: list[float] = []

    def now(self) -> datetime:
        return BEGIN + timedelta(seconds=self._loop.time()) + self.offset

    def monotonic(self) -> float:
        return self._loop.time()

    def jump(self, by: timedelta) -> None:
        self.offset += by
        self.jumps.append(self._loop.time())


class Servers:
    """All that the processes share."""

    def __init__(self, loop: SimulationLoop, rng: Random) -> None:
        self.store, self.queue_server = Server("store"), Server("queue")
        self.journal = Journal(loop.time)
        self.clock = ServerClock(loop)
        self.data = MemoryStore(self.clock)
        self.queue_state = MemoryQueueState(ServerClock(loop))
        self.hints = HintServer(loop, rng)
        self.repository = WatchedRepository(self.data, self.journal, lambda: self.store.caller)
        self.registry = WatchedRegistry(self.data, self.journal)
        self.reader = MemoryJobReader(self.data)
        self.sweeper = MemoryJobSweeper(self.data)
        self.store_time = MemoryStoreTime(self.data)
        self.queue = WatchedQueue(self.queue_state, self.hints, self.journal)
        self.maintenance = WatchedMaintenance(self.queue_state, self.hints, self.journal)
        self.epoch = MemoryQueueEpoch(self.queue_state)

    def jobs(self) -> dict[JobId, Job]:
        """Return every job as it stands now."""
        return {job_id: moves[-1].after for job_id, moves in self.journal.moves.items()}

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
