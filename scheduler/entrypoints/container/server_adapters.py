"""Everything on servers: SQL for the truth, Redis for the queue."""

from dependency_injector import containers, providers

from scheduler.adapters.cockroach import (
    ConnectionPool,
    Isolation,
    SqlDependency,
    SqlEndedJobs,
    SqlJobReader,
    SqlJobRepository,
    SqlJobSweeper,
    SqlStoreTime,
    SqlWorkerRegistry,
    Statements,
    StoreSettings,
    Transactions,
)
from scheduler.adapters.redis.event_bus import RedisEventBus
from scheduler.adapters.redis.health import RedisHealth
from scheduler.adapters.redis.job_queue import RedisJobQueue
from scheduler.adapters.redis.keys import Keys
from scheduler.adapters.redis.queue_epoch import RedisQueueEpoch
from scheduler.adapters.redis.queue_maintenance import RedisQueueMaintenance
from scheduler.adapters.redis.server import RedisServer
from scheduler.application.ports.ended_jobs import EndedJobs
from scheduler.application.ports.event_bus import EventBus
from scheduler.application.ports.health import Dependency
from scheduler.application.ports.job_queue import JobQueue
from scheduler.application.ports.job_reader import JobReader
from scheduler.application.ports.job_repository import JobRepository
from scheduler.application.ports.job_sweeper import JobSweeper
from scheduler.application.ports.queue_maintenance import QueueEpoch, QueueMaintenance
from scheduler.application.ports.store_time import StoreTime
from scheduler.application.ports.telemetry import StoreTelemetry
from scheduler.application.ports.worker_registry import WorkerRegistry
from scheduler.entrypoints.addresses import queue_address, store_address
from scheduler.entrypoints.resources import LeaseConnection, Resources, ServerResources
from scheduler.entrypoints.settings import Settings


def store_settings(settings: Settings, *, max_connections: int) -> StoreSettings:
    """Return how to reach the store."""
    isolation = Isolation(settings.db_isolation)
    return StoreSettings(url=store_address(settings), isolation=isolation, max_connections=max_connections)


def _lease_connection(settings: Settings, statements: Statements, telemetry: StoreTelemetry) -> LeaseConnection:
    pool = ConnectionPool(store_settings(settings, max_connections=1), statements)
    return LeaseConnection(SqlWorkerRegistry(Transactions(pool, statements, telemetry=telemetry)), pool)


class ServerAdapters(containers.DeclarativeContainer):
    """One connection pool and one Redis client for the process, and a pool of one for its lease's thread."""

    common = providers.DependenciesContainer()

    statements = providers.Singleton(Statements)
    store_settings = providers.Singleton(
        store_settings, common.settings, max_connections=common.settings.provided.db_pool_size
    )
    pool = providers.Singleton(ConnectionPool, store_settings, statements, telemetry=common.store_telemetry)
    transactions = providers.Singleton(Transactions, pool, statements, telemetry=common.store_telemetry)
    redis = providers.Singleton(
        RedisServer,
        providers.Singleton(queue_address, common.settings),
        clock=common.clock,
        randomness=common.randomness,
        faults=common.faults,
        telemetry=common.queue_telemetry,
        keys=providers.Factory(Keys, common.settings.provided.redis_key_prefix),
    )

    repository: providers.Provider[JobRepository] = providers.Singleton(SqlJobRepository, transactions, common.faults)
    reader: providers.Provider[JobReader] = providers.Singleton(SqlJobReader, transactions, common.faults)
    ended_jobs: providers.Provider[EndedJobs] = providers.Singleton(SqlEndedJobs, transactions)
    sweeper: providers.Provider[JobSweeper] = providers.Singleton(SqlJobSweeper, transactions, common.faults)
    registry: providers.Provider[WorkerRegistry] = providers.Singleton(SqlWorkerRegistry, transactions)
    store_time: providers.Provider[StoreTime] = providers.Singleton(SqlStoreTime, transactions)
    bus: providers.Provider[EventBus] = providers.Singleton(RedisEventBus, redis)
    queue: providers.Provider[JobQueue] = providers.Singleton(RedisJobQueue, redis)
    maintenance: providers.Provider[QueueMaintenance] = providers.Singleton(RedisQueueMaintenance, redis)
    epoch: providers.Provider[QueueEpoch] = providers.Singleton(RedisQueueEpoch, redis)

    resources: providers.Provider[Resources] = providers.Singleton(
        ServerResources,
        pool=pool,
        transactions=transactions,
        redis=redis,
        patience=common.settings.provided.start_seconds,
        faults=common.faults,
        randomness=common.randomness,
    )
    lease_connection: providers.Provider[LeaseConnection] = providers.Factory(
        _lease_connection, common.settings, statements, common.store_telemetry
    )
    store_health: providers.Provider[Dependency] = providers.Singleton(SqlDependency, transactions)
    queue_health: providers.Provider[Dependency] = providers.Singleton(RedisHealth, redis, common.clock)
    health_checks: providers.Provider[list[Dependency]] = providers.List(store_health, queue_health)
