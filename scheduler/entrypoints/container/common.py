"""What every process has, wherever its data lives."""

import structlog
from dependency_injector import containers, providers

from scheduler.adapters.handlers.db_tx import DbTxHandler
from scheduler.adapters.handlers.executors import bind
from scheduler.adapters.handlers.http_call import AddressPolicy, HttpCallHandler, HttpClient
from scheduler.adapters.handlers.noop import NoopHandler
from scheduler.adapters.handlers.process.pool import PoolLimits, ProcessPool
from scheduler.adapters.handlers.registry import Registry
from scheduler.adapters.http.progress import LoopProgress
from scheduler.adapters.logging.calls import LoggedCalls
from scheduler.adapters.logging.faults import LoggedFaults
from scheduler.adapters.logging.reaper import LoggedReaper
from scheduler.adapters.logging.stops import LoggedStops
from scheduler.adapters.logging.worker import LoggedWorker
from scheduler.adapters.prometheus.build_info import publish_build_info
from scheduler.adapters.prometheus.calls import QueueMetrics, StoreMetrics
from scheduler.adapters.prometheus.faults import FaultMetrics
from scheduler.adapters.prometheus.handler_processes import HandlerProcessMetrics
from scheduler.adapters.prometheus.metrics import Metrics
from scheduler.adapters.prometheus.process import DependencyMetrics, LoopLagMetrics
from scheduler.adapters.prometheus.reaper import ReaperMetrics
from scheduler.adapters.prometheus.rpc import RpcMetrics
from scheduler.adapters.prometheus.shared_files import SharedFiles
from scheduler.adapters.prometheus.stops import StopMetrics
from scheduler.adapters.prometheus.submit import SubmitMetrics
from scheduler.adapters.prometheus.worker import WorkerMetrics
from scheduler.adapters.system.clock import SystemClock
from scheduler.adapters.system.ids import Uuid4Ids
from scheduler.adapters.system.memory import SystemMemory
from scheduler.adapters.system.randomness import SystemRandomness
from scheduler.adapters.system.service_manager import ServiceManager
from scheduler.application.loops import LoopServices
from scheduler.application.ports.clock import AdjustableClock
from scheduler.application.ports.handlers import HandlerLog, HandlerRegistry
from scheduler.application.ports.ids import Ids
from scheduler.application.ports.memory import ProcessMemory
from scheduler.application.ports.randomness import Randomness
from scheduler.application.ports.telemetry import (
    DependencyTelemetry,
    FaultTelemetry,
    HandlerProcessTelemetry,
    QueueTelemetry,
    ReaperTelemetry,
    RpcTelemetry,
    StopTelemetry,
    StoreTelemetry,
    SubmitTelemetry,
    WorkerTelemetry,
)
from scheduler.application.ports.tracing import Tracing
from scheduler.entrypoints.container.db_tx import build_db_tx
from scheduler.entrypoints.container.tracing import build_tracing
from scheduler.entrypoints.process import ProcessOptions, program_version
from scheduler.entrypoints.settings import Settings

RPC_METHODS = (
    "SubmitJob",
    "SubmitJobs",
    "GetJob",
    "WatchJob",
    "CancelJob",
    "ListJobs",
    "RequeueJob",
    "ListAttempts",
    "GetQueueStats",
    "ListErrorGroups",
    "RequeueJobs",
    "PurgeJobs",
)


def _metrics(options: ProcessOptions) -> Metrics:
    shared = None
    if options.metrics_directory is not None and options.slot is not None:
        shared = SharedFiles(options.metrics_directory, options.slot)
    metrics = Metrics(shared)
    publish_build_info(metrics, version=program_version())
    return metrics


def _http_client(settings: Settings) -> HttpClient:
    policy = AddressPolicy(
        settings.http_call_networks,
        denied=settings.http_call_denied,
        nat64=settings.http_call_nat64,
        ports=settings.http_call_allowed_ports,
    )
    return HttpClient(policy=policy, ca_file=settings.http_call_ca_file)


def _traced_store(tracing: Tracing, metrics: StoreMetrics) -> StoreTelemetry:
    return tracing.store(metrics)


def _traced_queue(tracing: Tracing, metrics: QueueMetrics) -> QueueTelemetry:
    return tracing.queue(metrics)


def _handlers(
    options: ProcessOptions, http_call: HttpCallHandler, db_tx: DbTxHandler, processes: ProcessPool
) -> Registry:
    registry = Registry()
    registry.register("noop", NoopHandler())
    registry.register("http_call", http_call)
    registry.register("db_tx", db_tx)
    for definition in options.handlers:
        registry.register(definition.job_type, bind(definition, processes), place=definition.place)
    return registry


class Common(containers.DeclarativeContainer):
    """Settings, time, chance, handlers and telemetry."""

    settings = providers.Dependency(instance_of=Settings)
    options = providers.Dependency(instance_of=ProcessOptions)

    clock: providers.Provider[AdjustableClock] = providers.Singleton(SystemClock)
    ids: providers.Provider[Ids] = providers.Singleton(Uuid4Ids)
    randomness: providers.Provider[Randomness] = providers.Singleton(SystemRandomness)
    memory: providers.Provider[ProcessMemory] = providers.Singleton(SystemMemory)
    http_client: providers.Provider[HttpClient] = providers.Singleton(_http_client, settings)
    http_call: providers.Provider[HttpCallHandler] = providers.Singleton(
        HttpCallHandler, client=http_client, clock=clock
    )
    db_tx: providers.Provider[DbTxHandler] = providers.Singleton(build_db_tx, settings, clock)

    log = providers.Callable(structlog.get_logger, "scheduler")
    handler_log: providers.Provider[HandlerLog] = providers.Callable(structlog.get_logger, "scheduler.handlers")
    metrics: providers.Provider[Metrics] = providers.Singleton(_metrics, options)

    process_telemetry: providers.Provider[HandlerProcessTelemetry] = providers.Singleton(HandlerProcessMetrics, metrics)
    process_limits = providers.Singleton(PoolLimits, megabytes=settings.provided.handler_process_max_mb)
    handler_processes = providers.Singleton(ProcessPool, telemetry=process_telemetry, limits=process_limits)
    handlers: providers.Provider[HandlerRegistry] = providers.Singleton(
        _handlers, options, http_call, db_tx, handler_processes
    )

    service = providers.Singleton(ServiceManager, settings.provided.notify_socket, watchdog=settings.provided.watchdog)
    progress: providers.Provider[LoopProgress] = providers.Singleton(LoopProgress, clock)
    counted_faults: providers.Provider[FaultTelemetry] = providers.Singleton(FaultMetrics, metrics)
    faults: providers.Provider[FaultTelemetry] = providers.Singleton(
        LoggedFaults, log, clock=clock, following=counted_faults
    )
    loop_services: providers.Provider[LoopServices] = providers.Singleton(
        LoopServices, faults=faults, progress=progress, randomness=randomness
    )

    tracing: providers.Provider[Tracing] = providers.Singleton(build_tracing, settings, options)
    store_telemetry: providers.Provider[StoreTelemetry] = providers.Singleton(
        _traced_store, tracing, providers.Singleton(StoreMetrics, metrics)
    )
    queue_telemetry: providers.Provider[QueueTelemetry] = providers.Singleton(
        _traced_queue, tracing, providers.Singleton(QueueMetrics, metrics)
    )
    dependency_telemetry: providers.Provider[DependencyTelemetry] = providers.Singleton(DependencyMetrics, metrics)
    loop_lag = providers.Singleton(LoopLagMetrics, metrics)
    counted_calls: providers.Provider[RpcTelemetry] = providers.Singleton(RpcMetrics, metrics, methods=RPC_METHODS)
    rpc_telemetry: providers.Provider[RpcTelemetry] = providers.Singleton(
        LoggedCalls, log, sample=settings.provided.access_log_sample, following=counted_calls
    )
    submit_telemetry: providers.Provider[SubmitTelemetry] = providers.Singleton(SubmitMetrics, metrics)
    counted_worker: providers.Provider[WorkerTelemetry] = providers.Singleton(
        WorkerMetrics, metrics, types=handlers.provided.types.call(), slots=settings.provided.worker_pool_size
    )
    worker_telemetry: providers.Provider[WorkerTelemetry] = providers.Singleton(
        LoggedWorker, log, following=counted_worker
    )
    counted_stops: providers.Provider[StopTelemetry] = providers.Singleton(
        StopMetrics, metrics, types=handlers.provided.types.call()
    )
    stop_telemetry: providers.Provider[StopTelemetry] = providers.Singleton(LoggedStops, log, following=counted_stops)
    counted_reaper: providers.Provider[ReaperTelemetry] = providers.Singleton(ReaperMetrics, metrics, clock=clock)
    reaper_telemetry: providers.Provider[ReaperTelemetry] = providers.Singleton(
        LoggedReaper, log, following=counted_reaper
    )
