"""The real use cases and loops of each kind of process, wired to a host's own way to the servers."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, cast

from scheduler.adapters.http.progress import LoopProgress
from scheduler.application.best_effort import BestEffortQueue
from scheduler.application.bulk import BulkChanges
from scheduler.application.dto import PurgeRule, WorkerInfo
from scheduler.application.loops import Loop, LoopServices
from scheduler.application.ports.handlers import SilentLog
from scheduler.application.transitions import Transitions
from scheduler.application.use_cases.cancel_job import CancelJob
from scheduler.application.use_cases.close_dead_workers import CloseDeadWorkers
from scheduler.application.use_cases.delete_jobs import DeleteJobs
from scheduler.application.use_cases.finish_jobs import FinishJobs
from scheduler.application.use_cases.follow_store_clock import FollowStoreClock
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
from scheduler.application.worker.lease import LeaseKeeper
from scheduler.application.worker.orphans import ReleaseOrphans
from scheduler.application.worker.progress import ProgressBoard
from scheduler.application.worker.runner import AttemptRunner
from scheduler.application.worker.stragglers import Stragglers
from scheduler.application.worker.wakeups import Wakeups
from scheduler.application.worker.worker import Worker
from scheduler.domain.lease import LeaseTerms
from scheduler.domain.priority import StrictOrder, WeightedOrder
from scheduler.domain.state import FINAL_STATES
from tests.simulation.handlers import SimulatedHandlers
from tests.simulation.host import Host
from tests.simulation.journal import WatchedEndedJobs
from tests.simulation.network import Link
from tests.simulation.remote import remote

if TYPE_CHECKING:
    from scheduler.application.ports.job_sweeper import JobSweeper

CLOCK_SECONDS = 10.0


class TwoStatementPurge:
    """A purge as SQL has it: what it found may have moved on before it is deleted."""

    def __init__(self, ended: WatchedEndedJobs) -> None:
        self._ended = ended

    async def purge(self, rule: PurgeRule, *, now: datetime, limit: int) -> int:
        doomed = await self._ended.purgeable(rule, now=now, limit=limit)
        return await self._ended.delete(doomed) if doomed else 0


class Parts:
    """What every process has."""

    def __init__(self, host: Host) -> None:
        servers = host.world.servers
        self.host = host
        self.repository = remote(host.store, "jobs", servers.repository)
        self.sweeper = remote(host.store, "sweeper", servers.sweeper)
        self.queue = remote(host.queue, "queue", servers.queue)
        self.ended = remote(host.store, "ended", servers.ended)
        self.store_time = remote(host.store, "time", servers.store_time)
        self.best_effort = BestEffortQueue(queue=self.queue, bus=host.bus, faults=host.telemetry)
        self.transitions = Transitions(repository=self.repository, ids=host.ids)
        self.follow_store_clock = FollowStoreClock(clock=host.clock, store_time=self.store_time)
        self.services = LoopServices(faults=host.telemetry, progress=LoopProgress(host.clock), randomness=host.ids)

    def loop(self, name: str, work: Callable[[], Awaitable[bool | None]], interval: float) -> Loop:
        """Make a background loop of a use case."""

        async def run_once() -> bool:
            return bool(await work())

        return Loop(name, run_once, interval=interval, services=self.services)

    def clock_loop(self) -> Loop:
        return self.loop("clock", self.follow_store_clock.execute, CLOCK_SECONDS)


class ApiParts(Parts):
    """The clients' side."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        clock, transitions, queue = host.clock, self.transitions, self.best_effort
        self.submit_jobs = SubmitJobs(
            repository=self.repository, queue=queue, clock=clock, ids=host.ids, telemetry=host.telemetry
        )
        self.cancel_job = CancelJob(transitions=transitions, queue=queue, clock=clock)
        self.requeue_job = RequeueJob(transitions=transitions, queue=queue, clock=clock, telemetry=host.telemetry)
        bulk = BulkChanges(ended_jobs=self.ended, clock=clock)
        self.requeue_jobs = RequeueJobs(
            repository=self.repository,
            bulk=bulk,
            transitions=transitions,
            queue=queue,
            clock=clock,
            telemetry=host.telemetry,
        )
        self.delete_jobs = DeleteJobs(repository=self.repository, ended_jobs=self.ended, bulk=bulk)
        self.hub = WatchHub(repository=self.repository, bus=host.bus, faults=host.telemetry, randomness=host.ids)
        self.watch_job = WatchJob(hub=self.hub)


class WorkerParts(Parts):
    """The side that runs jobs."""

    def __init__(self, host: Host, slots: int, *, weighted: bool) -> None:
        super().__init__(host)
        world = host.world
        self.slots = slots
        self.handlers = SimulatedHandlers(
            host.name,
            ledger=world.ledger,
            rng=world.random(f"{host.name}:handlers"),
            trace=world.trace,
            is_over=world.is_over,
        )
        self.stragglers = Stragglers(slots=slots, telemetry=host.telemetry)
        self.table = AttemptTable(slots, self.stragglers)
        self._cancellations = MeasureCancellations(
            repository=self.repository, clock=host.clock, telemetry=host.telemetry
        )
        self._finish_jobs = FinishJobs(
            repository=self.repository, queue=self.best_effort, transitions=self.transitions, telemetry=host.telemetry
        )
        self.progress = ProgressBoard(
            repository=self.repository, queue=self.best_effort, clock=host.clock, services=self.services
        )
        self.runner = AttemptRunner(
            table=self.table,
            stragglers=self.stragglers,
            cancellations=self._cancellations,
            run_job=RunJob(handlers=self.handlers),
            finish_jobs=self._finish_jobs,
            progress=self.progress,
            clock=host.clock,
            randomness=host.ids,
            telemetry=host.telemetry,
            faults=host.telemetry,
            log=SilentLog(),
        )
        self.worker = self._worker(weighted=weighted)

    def _start_jobs(self, *, weighted: bool) -> StartJobs:
        return StartJobs(
            repository=self.repository,
            sweeper=self.sweeper,
            handlers=self.handlers,
            queue=self.queue,
            best_effort=self.best_effort,
            transitions=self.transitions,
            clock=self.host.clock,
            order=WeightedOrder() if weighted else StrictOrder(),
            telemetry=self.host.telemetry,
            faults=self.host.telemetry,
        )

    def _worker(self, *, weighted: bool) -> Worker:
        host = self.host
        wakeups = Wakeups(bus=host.bus, randomness=host.ids, faults=host.telemetry)
        start_jobs = self._start_jobs(weighted=weighted)
        claim_loop = ClaimLoop(
            table=self.table,
            start_jobs=start_jobs,
            runner=self.runner,
            wakeups=wakeups,
            store_time=self.store_time,
            services=self.services,
        )
        orphans = ReleaseOrphans(
            repository=self.repository,
            start_jobs=start_jobs,
            finish_jobs=self._finish_jobs,
            table=self.table,
            clock=host.clock,
        )
        return Worker(
            table=self.table,
            stragglers=self.stragglers,
            runner=self.runner,
            claim_loop=claim_loop,
            wakeups=wakeups,
            orphans=orphans,
            cancellations=self._cancellations,
            clock=host.clock,
            services=self.services,
        )

    def lease_keeper(self, link: Link) -> LeaseKeeper:
        """Make the keeper over a connection of its own."""
        host = self.host
        return LeaseKeeper(
            registry=remote(host.store_caller(link), "lease", host.world.servers.registry),
            describe=self._describe,
            terms=LeaseTerms(),
            clock=host.clock,
            randomness=host.ids,
            telemetry=host.telemetry,
            progress=self.services.progress,
        )

    def _describe(self) -> WorkerInfo:
        types = self.handlers.types()
        return WorkerInfo(
            id=self.host.ids.worker_id(), host=self.host.name, pid=1, version="1", slots=self.slots, handlers=types
        )


class ReaperParts(Parts):
    """The maintenance."""

    def duties(self) -> list[Loop]:
        """Return the loops of all duties; those that only look run less often than in production, to save time."""
        host, servers = self.host, self.host.world.servers
        maintenance = remote(host.queue, "maintenance", servers.maintenance)
        registry = remote(host.store, "registry", servers.registry)
        recover = self._recover_lost_jobs()
        close = CloseDeadWorkers(
            registry=registry,
            store_time=self.store_time,
            recover=recover,
            clock=host.clock,
            terms=LeaseTerms(),
            telemetry=host.telemetry,
        )
        hand_outs = ReturnHandOuts(repository=self.repository, maintenance=maintenance, telemetry=host.telemetry)
        sample = SampleDepths(
            reader=remote(host.store, "reader", servers.reader),
            maintenance=maintenance,
            registry=registry,
            telemetry=host.telemetry,
        )
        rules = [PurgeRule(states=sorted(FINAL_STATES), keep_for=host.world.keep_for)]
        purge = PurgeJobs(
            sweeper=cast("JobSweeper", TwoStatementPurge(self.ended)), registry=registry, clock=host.clock, rules=rules
        )
        return [
            self.loop("release_due", self._release_due_jobs().execute, 0.5),
            self.loop("close_workers", close.execute, 0.8),
            self.loop("recover_jobs", recover.execute, 1.0),
            self.loop("recover_absent", recover.execute_absent, 20.0),
            self.loop("return_hand_outs", hand_outs.execute, 1.0),
            self.loop("reconcile_queue", self._reconcile_queue().execute, 2.0),
            self.loop("sample_depths", sample.execute, 20.0),
            self.loop("purge", purge.execute, min(30.0, host.world.keep_for.total_seconds())),
        ]

    def _release_due_jobs(self) -> ReleaseDueJobs:
        return ReleaseDueJobs(
            repository=self.repository,
            sweeper=self.sweeper,
            queue=self.best_effort,
            transitions=self.transitions,
            clock=self.host.clock,
            telemetry=self.host.telemetry,
        )

    def _recover_lost_jobs(self) -> RecoverLostJobs:
        return RecoverLostJobs(
            repository=self.repository,
            sweeper=self.sweeper,
            queue=self.best_effort,
            transitions=self.transitions,
            clock=self.host.clock,
            telemetry=self.host.telemetry,
        )

    def _reconcile_queue(self) -> ReconcileQueue:
        servers, caller = self.host.world.servers, self.host.queue
        return ReconcileQueue(
            repository=self.repository,
            sweeper=self.sweeper,
            maintenance=remote(caller, "maintenance", servers.maintenance),
            epoch=remote(caller, "epoch", servers.epoch),
            clock=self.host.clock,
            telemetry=self.host.telemetry,
        )
