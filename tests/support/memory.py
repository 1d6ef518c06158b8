"""The memory adapters as the shared suites see them."""

from scheduler.adapters.memory.ended_jobs import MemoryEndedJobs
from scheduler.adapters.memory.event_bus import MemoryEventBus
from scheduler.adapters.memory.fixed_clock import FixedClock
from scheduler.adapters.memory.job_queue import MemoryJobQueue
from scheduler.adapters.memory.job_reader import MemoryJobReader
from scheduler.adapters.memory.job_repository import MemoryJobRepository
from scheduler.adapters.memory.job_sweeper import MemoryJobSweeper
from scheduler.adapters.memory.queue_epoch import MemoryQueueEpoch
from scheduler.adapters.memory.queue_maintenance import MemoryQueueMaintenance
from scheduler.adapters.memory.queue_state import MemoryQueueState
from scheduler.adapters.memory.store import MemoryStore
from scheduler.adapters.memory.store_time import MemoryStoreTime
from scheduler.adapters.memory.worker_registry import MemoryWorkerRegistry
from scheduler.adapters.system.clock import SystemClock
from scheduler.application.ports.clock import Clock
from tests.support.backends import SMALL_CAP, SMALL_SCAN


class MemoryStoreBackend:
    """All store ports over one MemoryStore, by this machine's clock unless given another."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        self._connect()

    def _connect(self) -> None:
        store = MemoryStore(self.clock)
        self.repository = MemoryJobRepository(store)
        self.reader = MemoryJobReader(store)
        self.ended_jobs = MemoryEndedJobs(store, scan=SMALL_SCAN, count_cap=SMALL_CAP)
        self.sweeper = MemoryJobSweeper(store)
        self.registry = MemoryWorkerRegistry(store)
        self.store_time = MemoryStoreTime(store)

    async def open(self) -> None:
        """Need nothing."""

    async def close(self) -> None:
        """Need nothing."""

    async def reset(self) -> None:
        """Begin with an empty store."""
        self._connect()


class MemoryQueueBackend:
    """All queue ports over one MemoryQueueState, by this machine's clock unless given another."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        self._connect()

    def _connect(self) -> None:
        self._state = MemoryQueueState(self.clock)
        self.bus = MemoryEventBus()
        self.queue = MemoryJobQueue(self._state, self.bus)
        self.maintenance = MemoryQueueMaintenance(self._state, self.bus)
        self.epoch = MemoryQueueEpoch(self._state)

    async def open(self) -> None:
        """Need nothing."""

    async def close(self) -> None:
        """Need nothing."""

    async def reset(self) -> None:
        """Begin with empty queues."""
        self._connect()

    async def put_junk(self) -> None:
        """Do nothing: ids are typed here."""

    async def put_wrong_type(self) -> None:
        """Do nothing: there are no keys here."""

    async def lose_data(self) -> None:
        self._state.lose_everything()


def fixed_clock_backends() -> tuple[FixedClock, MemoryStoreBackend, MemoryQueueBackend]:
    """Make a store and a queue that share a clock which the test moves."""
    clock = FixedClock()
    return clock, MemoryStoreBackend(clock), MemoryQueueBackend(clock)
