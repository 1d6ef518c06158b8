"""The memory adapters as the application meets them: servers that can be slow, and go away."""

from collections.abc import Collection, Mapping, Sequence

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
from scheduler.adapters.memory.recording_telemetry import RecordingTelemetry
from scheduler.adapters.memory.store import MemoryStore
from scheduler.adapters.memory.store_time import MemoryStoreTime
from scheduler.adapters.memory.switch import Switch
from scheduler.adapters.memory.worker_registry import MemoryWorkerRegistry
from scheduler.application.dto import JobDetails
from scheduler.application.errors import QueueUnavailableError, StoreUnavailableError
from scheduler.domain.ids import JobId
from scheduler.domain.job import Job
from scheduler.domain.state import JobState
from tests.support.backends import SMALL_SCAN
from tests.support.builders import a_new_job
from tests.unit.application.gate import Gate, GatedBus


class Damaged(MemoryJobRepository):
    """Leaves out corrupt rows, as the port says."""

    def __init__(self, store: MemoryStore, damaged: Collection[JobId]) -> None:
        super().__init__(store)
        self._damaged = damaged

    async def load_details(self, ids: Sequence[JobId], *, strict: bool = False) -> Mapping[JobId, JobDetails]:
        found = await super().load_details(ids, strict=strict)
        return {job_id: details for job_id, details in found.items() if job_id not in self._damaged}


class Servers:
    """Every port behind a gate, and behind a switch: one for the store, one for the queue."""

    def __init__(self, clock: FixedClock) -> None:
        self.clock = clock
        self.gate = Gate()
        self.telemetry = RecordingTelemetry()
        self.store_switch = Switch(StoreUnavailableError)
        self.memory_bus = MemoryEventBus()
        self.queue_switch = Switch(QueueUnavailableError, when_off=self.memory_bus.cut_off)
        self._store = store = MemoryStore(self.clock)
        self.queue_state = queue = MemoryQueueState(self.clock)
        self.damaged: set[JobId] = set()
        """Jobs whose rows cannot be loaded with their details."""
        self.stored = Damaged(store, self.damaged)
        """The same jobs, out of reach of the switch and the gate."""
        self.repository = self.store_switch.guard(self.gate.guard(self.stored))
        self.reader = self.store_switch.guard(MemoryJobReader(store))
        self.ended_jobs = self.store_switch.guard(self.gate.guard(MemoryEndedJobs(store, scan=SMALL_SCAN)))
        self.sweeper = self.store_switch.guard(self.gate.guard(MemoryJobSweeper(store)))
        self.registered = MemoryWorkerRegistry(store)
        self.registry = self.store_switch.guard(self.gate.guard(self.registered))
        self.store_time = self.store_switch.guard(self.gate.guard(MemoryStoreTime(store)))
        self.bus = self.queue_switch.guard(GatedBus(self.memory_bus, self.gate, self.queue_switch))
        self.queue = self.queue_switch.guard(self.gate.guard(MemoryJobQueue(queue, self.memory_bus)))
        self.maintenance = self.queue_switch.guard(MemoryQueueMaintenance(queue, self.memory_bus))
        self.epoch = self.queue_switch.guard(MemoryQueueEpoch(queue))

    async def store(self, *jobs: Job, payload: str | None = None) -> None:
        """Store jobs as they are, behind everybody's back."""
        await self.stored.add_all([a_new_job(job, payload) for job in jobs])

    async def forget(self, job_id: JobId) -> None:
        """Delete a job, as a purge does in the end."""
        async with self._store.statement() as data:
            data.delete(job_id)

    async def job(self, job_id: JobId) -> Job:
        """Read a job past all switches' current position."""
        return (await self.stored.load([job_id]))[job_id]

    async def state(self, job_id: JobId) -> JobState:
        """Read a job's state."""
        return (await self.job(job_id)).state
