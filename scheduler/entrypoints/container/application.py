"""The use cases over the ports."""

import os
import socket
from collections.abc import Sequence
from datetime import timedelta

from dependency_injector import containers, providers

from scheduler.application.best_effort import BestEffortQueue
from scheduler.application.bulk import BulkChanges
from scheduler.application.dto import PurgeRule, WorkerInfo
from scheduler.application.ports.handlers import HandlerRegistry
from scheduler.application.ports.ids import Ids
from scheduler.application.readiness import ReadinessCheck
from scheduler.application.transitions import Transitions
from scheduler.application.use_cases.cancel_job import CancelJob
from scheduler.application.use_cases.close_dead_workers import CloseDeadWorkers
from scheduler.application.use_cases.delete_jobs import DeleteJobs
from scheduler.application.use_cases.finish_jobs import FinishJobs
from scheduler.application.use_cases.follow_store_clock import FollowStoreClock
from scheduler.application.use_cases.get_job import GetJob
from scheduler.application.use_cases.get_queue_stats import GetQueueStats
from scheduler.application.use_cases.list_attempts import ListAttempts
from scheduler.application.use_cases.list_error_groups import ListErrorGroups
from scheduler.application.use_cases.list_jobs import ListJobs
from scheduler.application.use_cases.purge_jobs import PurgeJobs
from scheduler.application.use_cases.reconcile_queue import ReconcileQueue
from scheduler.application.use_cases.recover_lost_jobs import RecoverLostJobs
from scheduler.application.use_cases.release_due_jobs import ReleaseDueJobs
from scheduler.application.use_cases.requeue_job import RequeueJob
from scheduler.application.use_cases.requeue_jobs import RequeueJobs
from scheduler.application.use_cases.return_hand_outs import ReturnHandOuts
from scheduler.application.use_cases.run_job import RunJob
from scheduler.application.use_cases.sample_depths import SampleDepths
from scheduler.application.use_cases.start_jobs import StartJobs
from scheduler.application.use_cases.submit_jobs import SubmitJobs
from scheduler.application.use_cases.watch_job import WatchJob
from scheduler.application.watch_hub import WatchHub
from scheduler.application.worker.attempts import AttemptTable
from scheduler.application.worker.cancellations import MeasureCancellations
from scheduler.application.worker.claim_loop import ClaimLoop
from scheduler.application.worker.growth import WatchGrowth
from scheduler.application.worker.lease import LeaseKeeper
from scheduler.application.worker.orphans import ReleaseOrphans
from scheduler.application.worker.progress import ProgressBoard
from scheduler.application.worker.runner import AttemptRunner
from scheduler.application.worker.stragglers import Stragglers
from scheduler.application.worker.wakeups import Wakeups
from scheduler.application.worker.worker import Worker
from scheduler.domain.lease import LeaseTerms
from scheduler.domain.priority import ClaimOrder, StrictOrder, WeightedOrder
from scheduler.domain.state import JobState
from scheduler.entrypoints.container.common import Common
from scheduler.entrypoints.container.memory_adapters import MemoryAdapters
from scheduler.entrypoints.container.server_adapters import ServerAdapters
from scheduler.entrypoints.process import Backend, ProcessOptions, program_version
from scheduler.entrypoints.resources import Resources
from scheduler.entrypoints.settings import Settings


def _claim_order(settings: Settings) -> ClaimOrder:
    return StrictOrder() if settings.claim_order == "strict" else WeightedOrder()


def _lease_terms(settings: Settings) -> LeaseTerms:
    return LeaseTerms(timedelta(seconds=settings.lease_seconds))


def _purge_rules(settings: Settings) -> Sequence[PurgeRule]:
    return [
        PurgeRule(
            states=[JobState.SUCCEEDED, JobState.CANCELLED], keep_for=timedelta(days=settings.keep_succeeded_days)
        ),
        PurgeRule(states=[JobState.FAILED, JobState.DEADLETTER], keep_for=timedelta(days=settings.keep_failed_days)),
    ]


def _describe_worker(ids: Ids, settings: Settings, handlers: HandlerRegistry) -> WorkerInfo:
    return WorkerInfo(
        id=ids.worker_id(),
        host=socket.gethostname(),
        pid=os.getpid(),
        version=program_version(),
        slots=settings.worker_pool_size,
        handlers=handlers.types(),
    )


class Container(containers.DeclarativeContainer):
    """One process's objects, each built once, when it is first asked for."""

    common = providers.DependenciesContainer()
    adapters = providers.DependenciesContainer()

    settings: providers.Provider[Settings] = common.settings
    resources: providers.Provider[Resources] = adapters.resources
    readiness: providers.Provider[ReadinessCheck] = providers.Singleton(
        ReadinessCheck,
        dependencies=adapters.health_checks,
        clock=common.clock,
        telemetry=common.dependency_telemetry,
    )
    best_effort = providers.Singleton(BestEffortQueue, queue=adapters.queue, bus=adapters.bus, faults=common.faults)
    transitions = providers.Singleton(Transitions, repository=adapters.repository, ids=common.ids)
    follow_store_clock = providers.Singleton(FollowStoreClock, clock=common.clock, store_time=adapters.store_time)

    # --- api
    submit_jobs = providers.Singleton(
        SubmitJobs,
        repository=adapters.repository,
        queue=best_effort,
        clock=common.clock,
        ids=common.ids,
        telemetry=common.submit_telemetry,
        tracing=common.tracing,
    )
    watch_hub = providers.Singleton(
        WatchHub,
        repository=adapters.repository,
        bus=adapters.bus,
        faults=common.faults,
        randomness=common.randomness,
    )
    get_job = providers.Singleton(GetJob, repository=adapters.repository)
    watch_job = providers.Singleton(WatchJob, hub=watch_hub)
    cancel_job = providers.Singleton(CancelJob, transitions=transitions, queue=best_effort, clock=common.clock)
    requeue_job = providers.Singleton(
        RequeueJob,
        transitions=transitions,
        queue=best_effort,
        clock=common.clock,
        telemetry=common.submit_telemetry,
    )
    bulk = providers.Singleton(BulkChanges, ended_jobs=adapters.ended_jobs, clock=common.clock)
    requeue_jobs = providers.Singleton(
        RequeueJobs,
        repository=adapters.repository,
        bulk=bulk,
        transitions=transitions,
        queue=best_effort,
        clock=common.clock,
        telemetry=common.submit_telemetry,
    )
    delete_jobs = providers.Singleton(
        DeleteJobs, repository=adapters.repository, ended_jobs=adapters.ended_jobs, bulk=bulk
    )
    list_error_groups = providers.Singleton(ListErrorGroups, ended_jobs=adapters.ended_jobs)
    list_jobs = providers.Singleton(ListJobs, reader=adapters.reader)
    list_attempts = providers.Singleton(ListAttempts, reader=adapters.reader)
    get_queue_stats = providers.Singleton(GetQueueStats, reader=adapters.reader, clock=common.clock)

    # --- worker
    start_jobs = providers.Singleton(
        StartJobs,
        repository=adapters.repository,
        sweeper=adapters.sweeper,
        handlers=common.handlers,
        queue=adapters.queue,
        best_effort=best_effort,
        transitions=transitions,
        clock=common.clock,
        order=providers.Singleton(_claim_order, common.settings),
        telemetry=common.worker_telemetry,
        faults=common.faults,
        tracing=common.tracing,
    )
    run_job = providers.Singleton(RunJob, handlers=common.handlers)
    finish_jobs = providers.Singleton(
        FinishJobs,
        repository=adapters.repository,
        queue=best_effort,
        transitions=transitions,
        telemetry=common.worker_telemetry,
    )
    progress_board = providers.Singleton(
        ProgressBoard,
        repository=adapters.repository,
        queue=best_effort,
        clock=common.clock,
        services=common.loop_services,
    )
    stragglers = providers.Singleton(
        Stragglers, slots=common.settings.provided.worker_pool_size, telemetry=common.stop_telemetry
    )
    watch_growth = providers.Singleton(
        WatchGrowth,
        memory=common.memory,
        max_megabytes=common.settings.provided.worker_max_mb,
        stragglers=stragglers,
        clock=common.clock,
        telemetry=common.stop_telemetry,
    )
    attempt_table = providers.Singleton(AttemptTable, common.settings.provided.worker_pool_size, stragglers)
    cancellations = providers.Singleton(
        MeasureCancellations, repository=adapters.repository, clock=common.clock, telemetry=common.stop_telemetry
    )
    runner = providers.Singleton(
        AttemptRunner,
        table=attempt_table,
        stragglers=stragglers,
        cancellations=cancellations,
        run_job=run_job,
        finish_jobs=finish_jobs,
        progress=progress_board,
        clock=common.clock,
        randomness=common.randomness,
        telemetry=common.worker_telemetry,
        faults=common.faults,
        log=common.handler_log,
        tracing=common.tracing,
    )
    wakeups = providers.Singleton(Wakeups, bus=adapters.bus, randomness=common.randomness, faults=common.faults)
    claim_loop = providers.Singleton(
        ClaimLoop,
        table=attempt_table,
        start_jobs=start_jobs,
        runner=runner,
        wakeups=wakeups,
        store_time=adapters.store_time,
        services=common.loop_services,
    )
    orphans = providers.Singleton(
        ReleaseOrphans,
        repository=adapters.repository,
        start_jobs=start_jobs,
        finish_jobs=finish_jobs,
        table=attempt_table,
        clock=common.clock,
    )
    worker: providers.Provider[Worker] = providers.Singleton(
        Worker,
        table=attempt_table,
        stragglers=stragglers,
        runner=runner,
        claim_loop=claim_loop,
        wakeups=wakeups,
        orphans=orphans,
        cancellations=cancellations,
        clock=common.clock,
        services=common.loop_services,
    )
    lease_terms = providers.Singleton(_lease_terms, common.settings)
    describe_worker = providers.Factory(_describe_worker, common.ids, common.settings, common.handlers)
    lease_connection = adapters.lease_connection
    lease_keeper: providers.Factory[LeaseKeeper] = providers.Factory(
        LeaseKeeper,
        describe=describe_worker.provider,
        terms=lease_terms,
        clock=common.clock,
        randomness=common.randomness,
        telemetry=common.worker_telemetry,
        progress=common.progress,
    )

    # --- reaper
    release_due_jobs = providers.Singleton(
        ReleaseDueJobs,
        repository=adapters.repository,
        sweeper=adapters.sweeper,
        queue=best_effort,
        transitions=transitions,
        clock=common.clock,
        telemetry=common.reaper_telemetry,
    )
    recover_lost_jobs = providers.Singleton(
        RecoverLostJobs,
        repository=adapters.repository,
        sweeper=adapters.sweeper,
        queue=best_effort,
        transitions=transitions,
        clock=common.clock,
        telemetry=common.reaper_telemetry,
    )
    close_dead_workers = providers.Singleton(
        CloseDeadWorkers,
        registry=adapters.registry,
        store_time=adapters.store_time,
        recover=recover_lost_jobs,
        clock=common.clock,
        terms=lease_terms,
        telemetry=common.reaper_telemetry,
    )
    return_hand_outs = providers.Singleton(
        ReturnHandOuts,
        repository=adapters.repository,
        maintenance=adapters.maintenance,
        telemetry=common.reaper_telemetry,
    )
    reconcile_queue = providers.Singleton(
        ReconcileQueue,
        repository=adapters.repository,
        sweeper=adapters.sweeper,
        maintenance=adapters.maintenance,
        epoch=adapters.epoch,
        clock=common.clock,
        telemetry=common.reaper_telemetry,
    )
    purge_jobs = providers.Singleton(
        PurgeJobs,
        sweeper=adapters.sweeper,
        registry=adapters.registry,
        clock=common.clock,
        rules=providers.Singleton(_purge_rules, common.settings),
    )
    sample_depths = providers.Singleton(
        SampleDepths,
        reader=adapters.reader,
        maintenance=adapters.maintenance,
        registry=adapters.registry,
        telemetry=common.reaper_telemetry,
    )


def build_container(settings: Settings, *, backend: Backend, options: ProcessOptions | None = None) -> Container:
    """Wire a process; nothing is opened, and most is not even built."""
    common = Common(settings=settings, options=options or ProcessOptions())
    adapters = MemoryAdapters(common=common) if backend is Backend.MEMORY else ServerAdapters(common=common)
    return Container(common=common, adapters=adapters)
