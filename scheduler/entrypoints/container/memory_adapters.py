"""Everything in this process: for tests, and for `scheduler up --backend memory`."""

from dependency_injector import containers, providers

from scheduler.adapters.memory.ended_jobs import MemoryEndedJobs
from scheduler.adapters.memory.event_bus import MemoryEventBus
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
from scheduler.application.ports.ended_jobs import EndedJobs
from scheduler.application.ports.event_bus import EventBus
from scheduler.application.ports.health import Dependency
from scheduler.application.ports.job_queue import JobQueue
from scheduler.application.ports.job_reader import JobReader
from scheduler.application.ports.job_repository import JobRepository
from scheduler.application.ports.job_sweeper import JobSweeper
from scheduler.application.ports.queue_maintenance import QueueEpoch, QueueMaintenance
from scheduler.application.ports.store_time import StoreTime
from scheduler.application.ports.worker_registry import WorkerRegistry
from scheduler.entrypoints.resources import LeaseConnection, NoResources, Resources


class MemoryAdapters(containers.DeclarativeContainer):
    """One store and one queue, shared by all parts of the process; lost with it."""

    common = providers.DependenciesContainer()

    store = providers.Singleton(MemoryStore, common.clock)
    queue_state = providers.Singleton(MemoryQueueState, common.clock)

    bus: providers.Provider[EventBus] = providers.Singleton(MemoryEventBus)
    repository: providers.Provider[JobRepository] = providers.Singleton(MemoryJobRepository, store)
    reader: providers.Provider[JobReader] = providers.Singleton(MemoryJobReader, store)
    ended_jobs: providers.Provider[EndedJobs] = providers.Singleton(MemoryEndedJobs, store)
    sweeper: providers.Provider[JobSweeper] = providers.Singleton(MemoryJobSweeper, store)
    registry: providers.Provider[WorkerRegistry] = providers.Singleton(MemoryWorkerRegistry, store)
    store_time: providers.Provider[StoreTime] = providers.Singleton(MemoryStoreTime, store)
    queue: providers.Provider[JobQueue] = providers.Singleton(MemoryJobQueue, queue_state, bus)
    maintenance: providers.Provider[QueueMaintenance] = providers.Singleton(MemoryQueueMaintenance, queue_state, bus)
    epoch: providers.Provider[QueueEpoch] = providers.Singleton(MemoryQueueEpoch, queue_state)

    resources: providers.Provider[Resources] = providers.Singleton(NoResources)
    lease_connection: providers.Provider[LeaseConnection] = providers.Factory(LeaseConnection, registry)
    health_checks: providers.Provider[list[Dependency]] = providers.List()
