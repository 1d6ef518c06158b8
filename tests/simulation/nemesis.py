"""Whatever can go wrong, at times that a seed picks."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any
from uuid import UUID

from scheduler.application.dto import QueueEntry
from scheduler.domain.ids import JobId
from scheduler.domain.job import Job
from scheduler.domain.priority import ClaimPlan, Priority, StrictOrder
from scheduler.domain.state import JobState
from tests.simulation.bounds import FLUSH, REFILL_SECONDS, check_refill
from tests.simulation.client import Client
from tests.simulation.fleet import Fleet
from tests.simulation.host import Host, World
from tests.simulation.loop import Lane
from tests.simulation.network import CALM, Server, Weather
from tests.simulation.processes import ReaperProcess, WorkerProcess
from tests.simulation.traps import Traps

PEACEFUL = 0.08
"""The share of seeds in which no harm is done."""


Deed = Callable[[], Coroutine[Any, Any, None]]


class Nemesis:
    """Does harm for a while, then heals everything.

    Each seed draws the few kinds of harm that it knows, and does these often: what needs two of a kind, or one in the
    middle of another, comes about that way. Some do none.
    """

    def __init__(self, world: World, fleet: Fleet, clients: Sequence[Client]) -> None:
        self._world = world
        self._fleet = fleet
        self._rng: Random = world.random("nemesis")
        self._lane = Lane("nemesis")
        self._tasks: list[asyncio.Task[None]] = []
        self._traps = Traps(world, fleet, clients, self)

    def start(self, seconds: float) -> None:
        """Plan some deeds within that time."""
        if not self._world.is_focused and self._rng.random() < PEACEFUL:
            return
        kinds = self._kinds()
        for _ in range(self._rng.randint(4, 8) if self._world.is_focused else self._rng.randint(1, 2 + 2 * len(kinds))):
            self.at(self._rng.uniform(0, seconds), self._rng.choice(kinds))

    def _kinds(self) -> list[Deed]:
        """Draw what this seed knows to do; traps more often than anything else, for they meet what must not be met."""
        if self._traps.focus is not None:
            return [self._traps.set_one]
        everything: list[Deed] = [
            self.kill,
            self._stop,
            self.pause,
            self.block,
            self._lag,
            self.cut_store,
            self._cut_queue,
            self.isolate,
            self._slow_down,
            self.store_outage,
            self._slow_store,
            self._lock_table,
            self._queue_outage,
            self.flush,
            self._bad_entries,
            self.take_and_vanish,
            self.clock_jump,
        ]
        kinds = self._rng.sample(everything, self._rng.choice([0, 1, 1, 2, 3, 5]))
        if self._world.long_jobs:
            kinds += [self.cut_store, self.isolate]
        return kinds + [self._traps.set_one] * (3 if not kinds or self._rng.random() < 0.5 else 1)

    def heal(self) -> None:
        """End every outage and every pause."""
        for task in self._tasks:
            task.cancel()
        self._world.servers.store.traps.clear()
        self._world.servers.queue_server.traps.clear()
        self._world.servers.store.slow = 0.0
        self._world.servers.store.comes_up()
        self._world.servers.queue_server.comes_up()
        for host in self._fleet.current:
            for link in host.links():
                link.cut, link.slow, link.weather = False, 0.0, CALM
            for kind in sorted({trouble.kind for trouble in host.troubles.ever if trouble.until is None}):
                host.go_on(kind)

    def at(self, when: float, deed: Deed) -> None:
        async def act() -> None:
            await asyncio.sleep(when)
            await deed()

        self._tasks.append(self._world.loop.spawn(self._lane, act()))

    def _note(self, what: str, *details: object) -> None:
        self._world.trace.note("NEMESIS", what, *details)

    def _victim(self, kind: type[Host] = Host) -> Host | None:
        hosts = [host for host in self._fleet.current if isinstance(host, kind)]
        workers = [host for host in hosts if isinstance(host, WorkerProcess)]
        chosen = workers if workers and self._rng.random() < 0.5 else hosts
        return self._rng.choice(chosen) if chosen else None

    def _busy_worker(self) -> Host | None:
        """Pick, more often than not, a worker with something to lose."""
        busy = {run.host for run in self._world.ledger.runs if run.ended_at is None}
        hosts = [host for host in self._fleet.current if host.name in busy]
        return self._rng.choice(hosts) if hosts and self._rng.random() < 0.7 else None

    # --- processes

    async def kill(self, victim: Host | None = None) -> None:
        if (victim := victim or self._victim()) is not None:
            victim.trouble("killed")
            victim.die()

    async def kill_busy(self) -> None:
        await self.kill(self._busy_worker())

    async def _stop(self) -> None:
        if (victim := self._victim()) is not None:
            victim.trouble("stopping")
            victim.stopping.set()

    async def pause(self, victim: Host | None = None, seconds: float = 0.0) -> None:
        if (victim := victim or self._victim()) is not None:
            victim.pause()
            await asyncio.sleep((seconds or self._rng.choice([1, 5, 11, 14, 20])) * self._rng.uniform(0.8, 1.2))
            victim.go_on("paused")

    async def block(self, victim: Host | None = None, seconds: float = 0.0) -> None:
        if (victim := victim or self._victim(WorkerProcess)) is not None:
            victim.block()
            await asyncio.sleep(seconds or self._rng.uniform(1, 25))
            victim.go_on("blocked")

    async def _lag(self) -> None:
        """Let the reapers' event loops stand still for a moment again and again, as a host without time does."""
        for _ in range(self._rng.randint(3, 12)):
            for reaper in [host for host in self._fleet.current if isinstance(host, ReaperProcess)]:
                reaper.lag()
            await asyncio.sleep(self._rng.uniform(1.05, 1.6))
            for victim in self._fleet.current:
                victim.go_on("lagging")
            await asyncio.sleep(self._rng.uniform(0.5, 3))

    # --- the network of one process

    async def cut_store(self, victim: Host | None = None, seconds: float = 0.0) -> None:
        await self._cut("cut from store", [self._world.servers.store], victim, seconds)

    async def _cut_queue(self) -> None:
        await self._cut("cut from queue", [self._world.servers.queue_server])

    async def isolate(self, victim: Host | None = None) -> None:
        await self._cut("isolated", [self._world.servers.store, self._world.servers.queue_server], victim)

    async def _cut(self, kind: str, servers: list[Server], victim: Host | None = None, seconds: float = 0.0) -> None:
        if (victim := victim or self._busy_worker() or self._victim()) is None:
            return
        links = [link for link in victim.links() if link.server in servers]
        victim.trouble(kind)
        for link in links:
            link.cut = True
            if link is victim.queue_link:
                self._world.servers.hints.cut_off(link)
        await asyncio.sleep((seconds or self._rng.choice([2, 4, 6, 8, 16, 22, 28])) * self._rng.uniform(0.8, 1.2))
        for link in links:
            link.cut = False
        victim.trouble_ends(kind)

    async def _slow_down(self) -> None:
        if (victim := self._victim()) is None:
            return
        seconds = self._rng.choice([0.1, 0.5, 2.0])
        victim.trouble("slow")
        for link in victim.links():
            link.slow = seconds
        await asyncio.sleep(self._rng.uniform(2, 20))
        for link in victim.links():
            link.slow = 0.0
        victim.trouble_ends("slow")

    async def slow_queue(self, victim: Host, seconds: float = 1.0) -> None:
        """Let a process wait for its queue for a moment, and for nothing else."""
        victim.trouble("slow queue")
        victim.queue_link.slow = 0.2
        await asyncio.sleep(seconds)
        victim.queue_link.slow = 0.0
        victim.trouble_ends("slow queue")

    # --- servers

    async def store_outage(self) -> None:
        await self._outage(self._world.servers.store, self._rng.choice([1, 4, 9, 11, 14, 30]))

    async def _slow_store(self) -> None:
        store = self._world.servers.store
        store.slow = self._rng.choice([0.2, 0.4, 0.6])
        self._note("store slow", store.slow)
        with store.troubles.during("slow"):
            await asyncio.sleep(self._rng.uniform(5, 40))
        store.slow = 0.0

    async def _lock_table(self) -> None:
        """Lock a table as VACUUM FULL does, for less or for longer than statements wait."""
        table = self._rng.choice(["jobs", "workers"])
        self._note("table locked", table)
        with self._world.servers.engine.table_locked(table):
            await asyncio.sleep(self._rng.choice([1, 3, 7, 12]) * self._rng.uniform(0.8, 1.2))
        self._note("table unlocked", table)

    async def _queue_outage(self) -> None:
        self._world.servers.hints.cut_off()
        await self._outage(self._world.servers.queue_server, self._rng.uniform(1, 15))
        if self._rng.random() < 0.3:
            await self.flush()

    async def _outage(self, server: Server, seconds: float) -> None:
        self._note(f"{server.name} down")
        server.goes_down()
        await asyncio.sleep(seconds * self._rng.uniform(0.8, 1.2))
        server.comes_up()
        self._note(f"{server.name} up")

    async def clock_jump(self, seconds: int = 0) -> None:
        by = timedelta(seconds=seconds or self._rng.choice([-20, -3, 3, 20]))
        self._note("store clock jumps", by)
        self._world.servers.clock.jump(by)

    # --- the queue's data

    async def flush(self) -> None:
        self._note("flush")
        jobs = [job for job in self._world.servers.jobs().values() if job.state is JobState.QUEUED]
        self._world.servers.flush()
        with self._world.servers.queue_server.troubles.during(FLUSH):
            pass
        self.at(REFILL_SECONDS, partial(self._check_refill, self._world.loop.time(), jobs))

    async def _check_refill(self, since: float, jobs: Sequence[Job]) -> None:
        for text in check_refill(self._world, self._fleet, since, jobs):
            self._world.servers.journal.violated(text)

    async def _bad_entries(self) -> None:
        """Put entries in by hand: of jobs that do not exist, or wait elsewhere, or have ended, or run."""
        known = list(self._world.servers.jobs().values())
        self._world.servers.queue_server.troubles.begin("bad entries")
        for _ in range(self._rng.randint(1, 4)):
            stranger = JobId(UUID(int=self._rng.getrandbits(128), version=4))
            job_id = self._rng.choice(known).id if known and self._rng.random() < 0.8 else stranger
            entry = QueueEntry(
                job_id=job_id,
                priority=self._rng.choice(list(Priority)),
                queued_at=self._world.servers.clock.now() - timedelta(seconds=self._rng.uniform(0, 60)),
            )
            self._note("bad entry", entry)
            await self._world.servers.queue.enqueue_all([entry])

    async def take_and_vanish(self) -> None:
        """Claim as a worker would that is killed right after it."""
        self._world.servers.queue_server.troubles.begin("taken")
        taken = await self._world.servers.queue.claim(self.plan(self._rng.randint(1, 3)), timedelta(seconds=10))
        self._note("take and vanish", taken)

    def plan(self, limit: int) -> ClaimPlan:
        return StrictOrder().plan(limit, 0)


def weather_of(rng: Random) -> Weather:
    """Pick how reliable the network of a run is."""
    chance = rng.choice([0.0, 0.0, 0.01, 0.04, 0.08])
    return Weather(
        request_lost=chance / 2,
        reply_lost=chance,
        conflict=chance,
        late=rng.choice([0.0, 0.0, 0.004]) if chance else 0.0,
    )
