"""A process: its threads, its clocks, its connections, and all that can happen to it."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

from scheduler.adapters.memory.recording_telemetry import RecordingTelemetry
from scheduler.adapters.redis.breaker import CircuitBreaker
from scheduler.adapters.system.clock import SystemClock
from scheduler.application.ports.ids import Ids
from scheduler.application.ports.randomness import Randomness
from scheduler.domain.ids import JobId, OpId, WorkerId
from tests.simulation.bus import RemoteBus
from tests.simulation.ledger import Ledger
from tests.simulation.loop import Lane, SimulationLoop
from tests.simulation.network import Link, Server, Weather
from tests.simulation.remote import Caller, QueueCaller, StoreCaller
from tests.simulation.servers import BEGIN, Servers
from tests.simulation.trace import Trace
from tests.simulation.troubles import Troubles


@dataclass(slots=True, kw_only=True)
class World:
    """What all processes of a run share."""

    seed: int
    loop: SimulationLoop
    trace: Trace
    servers: Servers
    ledger: Ledger
    weather: Weather
    is_focused: bool
    """It plays one scene, several times, and meets no other harm: what that brings about is judged under a calm sky."""
    rough: bool
    """Messages are lost and late until everything heals."""
    long_jobs: bool
    """Most jobs take longer than a lease, and most misfortunes cut the workers that run them from the store."""
    hint_lost: float
    """The chance that a listener does not hear a hint."""
    keep_for: timedelta
    """How long reapers keep ended jobs."""
    healed_at: float = float("inf")
    """From when on nothing goes wrong any more."""
    over: bool = False
    """The run is being taken apart: nothing counts any more."""

    def random(self, name: str) -> Random:
        """Return a source of chance of its own, so that one part's draws do not change another's."""
        return Random(f"{self.seed}:{name}")

    def is_over(self) -> bool:
        return self.over


class SeededIds(Ids, Randomness):
    """Ids and jitter from one seed."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng

    def _uuid(self) -> UUID:
        return UUID(int=self._rng.getrandbits(128), version=4)

    def job_id(self) -> JobId:
        return JobId(self._uuid())

    def op_id(self) -> OpId:
        return OpId(self._uuid())

    def worker_id(self) -> WorkerId:
        return WorkerId(self._uuid())

    def draw(self) -> float:
        return self._rng.random()


class Host:
    """One process from its start to its end; who restarts it makes a new one."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.main = Lane(name)
        self.lanes = [self.main]
        self.alive = True
        self.born_at = world.loop.time()
        self.died_at: float | None = None
        self.troubles = Troubles(world.loop.time)
        self.stopping = asyncio.Event()
        self.on_exit: list[Callable[[], None]] = []
        self._rng = world.random(name)
        self.ids = SeededIds(self._rng)
        self.telemetry = RecordingTelemetry()
        self._set_clock()
        servers = world.servers
        self.store_link = self._link(servers.store)
        self.queue_link = self._link(servers.queue_server)
        self.store = self.store_caller(self.store_link)
        self.queue = QueueCaller(
            self.queue_link, CircuitBreaker(clock=self.clock, randomness=self.ids, faults=self.telemetry)
        )
        self.bus = RemoteBus(servers.hints, self.queue_link, self.queue)

    def _set_clock(self) -> None:
        rng, loop = self._rng, self.world.loop
        skew = rng.choice([0.0, 0.0, rng.uniform(-2, 2), rng.uniform(-600, 600)])
        rate = 1 + rng.uniform(-1e-3, 1e-3)
        begin = rng.uniform(0, 1e5)
        self.clock = SystemClock(
            time_of_day=lambda: BEGIN.timestamp() + skew + rate * loop.time(),
            monotonic=lambda: begin + rate * loop.time(),
        )

    def _link(self, server: Server) -> Link:
        return Link(self.world.loop, server, self.name, self.world.weather, self._rng, self.world.trace)

    def store_caller(self, link: Link) -> Caller:
        return StoreCaller(link, self.world.servers.engine)

    def links(self) -> list[Link]:
        """Return every connection of this process."""
        return [self.store_link, self.queue_link]

    def spawn(self, work: Coroutine[Any, Any, None], lane: Lane | None = None) -> None:
        """Run work on one of the process's threads; its failure ends the process."""
        _ = self._track(work, lane or self.main)

    def _track(self, work: Coroutine[Any, Any, None], lane: Lane) -> "asyncio.Task[None]":
        task = self.world.loop.spawn(lane, work)
        task.add_done_callback(self._ended, context=lane.context)
        return task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if task.cancelled() or self.world.over:
            return
        if (error := task.exception()) is not None:
            self.world.trace.note(self.name, "CRASHED", error)
            self.failed(error)
            self.die()

    def failed(self, error: BaseException) -> None:
        """Judge an error that ended the process."""
        self.world.servers.journal.violated(f"{self.name} ended with {error!r}")

    # --- what can happen to it

    def die(self) -> None:
        """End at once, between two awaits: no code of this process runs ever again."""
        if not self.alive:
            return
        self.alive = False
        self.died_at = self.world.loop.time()
        self.world.trace.note(self.name, "DEAD")
        for lane in self.lanes:
            self.world.loop.freeze(lane)
        self.world.servers.hints.cut_off(self.queue_link)
        self.world.ledger.host_died(self.name)
        for tell in self.on_exit:
            tell()

    def pause(self) -> None:
        """Stop the whole process where it stands."""
        self._begin("paused", self.lanes)

    def block(self) -> None:
        """Let a handler block the event loop; other threads go on."""
        self._begin("blocked", [self.main])

    def lag(self) -> None:
        """Let the event loop stand still for a moment."""
        self._begin("lagging", [self.main])

    def _begin(self, kind: str, lanes: list[Lane]) -> None:
        self.trouble(kind)
        for lane in lanes:
            self.world.loop.freeze(lane)

    def go_on(self, kind: str) -> None:
        """End a pause or a block."""
        self.trouble_ends(kind)
        if self.alive:
            for lane in self.lanes:
                self.world.loop.thaw(lane)

    def trouble(self, kind: str) -> None:
        self.world.trace.note(self.name, kind.upper())
        self.troubles.begin(kind)

    def trouble_ends(self, kind: str) -> None:
        if self.troubles.end(kind):
            self.world.trace.note(self.name, f"no longer {kind}")

    def was(self, kinds: frozenset[str], since: float, until: float) -> bool:
        """Tell whether the process was in one of these troubles at any time in between."""
        return self.troubles.any(since, until, kinds)
