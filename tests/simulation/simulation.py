"""One run: a few processes, clients and misfortunes; then everything heals, and all must come to rest."""

import asyncio
import gc
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from types import SimpleNamespace
from unittest.mock import patch

from scheduler.adapters.cockroach import connection, patience
from scheduler.application import deadline
from scheduler.application.use_cases import recover_lost_jobs
from scheduler.domain.ids import JobId
from tests.simulation.book import Book
from tests.simulation.bounds import BOUNDS
from tests.simulation.call_checks import CALL_CHECKS
from tests.simulation.checks import CHECKS, Evidence, is_settled
from tests.simulation.client import Client
from tests.simulation.fleet import Fleet, Size
from tests.simulation.host import World
from tests.simulation.lease_checks import LEASE_CHECKS
from tests.simulation.ledger import Ledger
from tests.simulation.loop import SimulationLoop
from tests.simulation.nemesis import Nemesis, weather_of
from tests.simulation.network import CALM
from tests.simulation.servers import CLOSED_WITHIN, Servers
from tests.simulation.trace import Trace

KEEP_FOR = (timedelta(days=1), timedelta(days=1), timedelta(seconds=2), timedelta(seconds=8))
PACES = (0.0, 0.0, 0.005, 0.05)
HINT_LOST = (0.0, 0.0, 0.03, 0.6)
REST_SECONDS = 400.0
"""Within which everything comes to rest once nothing is wrong any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run showed."""

    seed: int
    violations: list[str]
    trace: Trace
    seconds: float
    """Of simulated time."""
    steps: int
    jobs: int
    runs: int

    def __str__(self) -> str:
        found = "\n".join(f"  - {violation}" for violation in self.violations) or "  nothing"
        return f"seed {self.seed}: {self.jobs} jobs, {self.runs} handler runs, {self.seconds:.0f} s; found:\n{found}"


class Run:
    """Everything that one seed brings about."""

    def __init__(self, seed: int) -> None:
        plan = Random(f"{seed}:plan")
        self.loop = SimulationLoop(Random(f"{seed}:schedule"))
        trace = Trace(self.loop.time)
        is_focused = seed % 2 == 1
        weather = CALM if is_focused else weather_of(plan)
        self.world = World(
            seed=seed,
            loop=self.loop,
            trace=trace,
            servers=Servers(self.loop, Random(f"{seed}:hints")),
            ledger=Ledger(self.loop.time),
            weather=weather,
            is_focused=is_focused,
            rough=weather != CALM,
            long_jobs=plan.random() < 0.25,
            keep_for=plan.choice(KEEP_FOR),
            hint_lost=0.0 if is_focused else plan.choice(HINT_LOST),
        )
        self.book = Book()
        size = Size(
            apis=plan.randint(1, 2),
            workers=plan.randint(2, 3),
            reapers=plan.choice([1, 1, 2]),
            slots=plan.randint(1, 3),
        )
        self.fleet = Fleet(self.world, size)
        self.world.servers.hints.lost = self.world.hint_lost
        self.world.servers.engine.pace = plan.choice(PACES)
        self.clients = [Client(self.world, f"client-{number}", self.fleet, self.book) for number in range(2)]
        self.nemesis = Nemesis(self.world, self.fleet, self.clients)
        self._calls = plan.randint(5, 14)
        self._trouble_seconds = plan.uniform(12, 42)

    async def live(self) -> None:
        """Go through the time of trouble, then wait for rest."""
        self.fleet.start_all()
        for client in self.clients:
            client.start(self._calls, self._trouble_seconds * 0.8)
        self.nemesis.start(self._trouble_seconds * 0.6)
        await asyncio.sleep(self._trouble_seconds)
        self.world.trace.note("NEMESIS", "heals everything")
        self.world.weather = CALM
        self.world.healed_at = self.loop.time()
        self.nemesis.heal()
        until = self.loop.time() + REST_SECONDS
        while not self._at_rest() and self.loop.time() < until:  # noqa: ASYNC110 - rest is nothing that happens
            await asyncio.sleep(0.5)

    def _at_rest(self) -> bool:
        return (
            self.fleet.complete
            and all(is_settled(job, self.evidence()) for job in self.world.servers.jobs().values())
            and all(client.done for client in self.clients)
            and not self._queued()
        )

    def _queued(self) -> frozenset[JobId]:
        data = self.world.servers.queue_data()
        queues = [*data.queues.values(), data.processing]
        return frozenset(job_id for queue in queues for _, job_id in queue.first(1_000_000))

    def evidence(self) -> Evidence:
        return Evidence(self.world, self.fleet, self.book, self.world.servers.rows(), self._queued())

    def violations(self) -> list[str]:
        """Judge the run by all invariants."""
        evidence = self.evidence()
        found = [text for check in (*CHECKS, *CALL_CHECKS, *LEASE_CHECKS, *BOUNDS) for text in check(evidence)]
        return [*self.world.servers.journal.violations, *self.loop.failures, *found]

    def report(self) -> Report:
        return Report(
            seed=self.world.seed,
            violations=self.violations(),
            trace=self.world.trace,
            seconds=self.loop.time(),
            steps=self.loop.steps,
            jobs=len(self.world.servers.journal.moves),
            runs=len(self.world.ledger.runs),
        )

    async def take_apart(self) -> None:
        """End every task, so that the run leaves nothing behind."""
        self.world.over = True
        for host in self.fleet.ever:
            for lane in host.lanes:
                self.loop.thaw(lane)
        for _ in range(100):
            tasks = asyncio.all_tasks(self.loop) - {asyncio.current_task(self.loop)}
            if not tasks:
                return
            for task in tasks:
                task.cancel()
            await asyncio.sleep(0.001)
        raise RuntimeError("some tasks do not end")


def simulate(seed: int) -> Report:
    """Run a seed; the same seed does the same in every process and on every machine."""
    with _without_collector():
        run = Run(seed)
        with _simulated_time(run.loop):
            try:
                run.loop.run_until_complete(run.live())
                report = run.report()
                run.loop.run_until_complete(run.take_apart())
            finally:
                run.loop.close()
    return report


@contextmanager
def _simulated_time(loop: SimulationLoop) -> Iterator[None]:
    """Let what measures its own waiting do so on the loop's clock."""
    with ExitStack() as patches:
        for module in (deadline, patience, connection):
            patches.enter_context(patch.object(module, "time", SimpleNamespace(monotonic=loop.time)))
        patches.enter_context(patch.object(recover_lost_jobs, "CLOSED_WITHIN", CLOSED_WITHIN))
        yield


@contextmanager
def _without_collector() -> Iterator[None]:
    """Keep the garbage collector from ending generators at moments that differ from run to run."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
