"""Whatever can go wrong, at times that a seed picks."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

from scheduler.application.dto import QueueEntry
from scheduler.domain.ids import JobId
from scheduler.domain.priority import Priority, StrictOrder
from tests.simulation.fleet import Fleet
from tests.simulation.host import Host, World
from tests.simulation.loop import Lane
from tests.simulation.network import CALM, Server, Weather
from tests.simulation.processes import WorkerProcess


class Nemesis:
    """Does harm for a while, then heals everything."""

    def __init__(self, world: World, fleet: Fleet) -> None:
        self._world = world
        self._fleet = fleet
        self._rng: Random = world.random("nemesis")
        self._lane = Lane("nemesis")
        self._tasks: list[asyncio.Task[None]] = []
        self._deeds: list[Callable[[], Coroutine[Any, Any, None]]] = [
            self._kill,
            self._kill,
            self._stop,
            self._pause,
            self._pause,
            self._block,
            self._cut_store,
            self._cut_store,
            self._cut_queue,
            self._isolate,
            self._slow_down,
            self._store_outage,
            self._store_outage,
            self._queue_outage,
            self._flush,
            self._bad_entries,
            self._bad_entries,
            self._take_and_vanish,
        ]
        if world.long_jobs:
            self._deeds += [self._cut_store, self._isolate] * 8

    def start(self, seconds: float) -> None:
        """Plan a few deeds within that time."""
        for _ in range(self._rng.randint(1, 7)):
            self._at(self._rng.uniform(0, seconds), self._rng.choice(self._deeds))
        if self._rng.random() < 0.1:
            self._at(self._rng.uniform(0, seconds), self._clock_jump)

    def heal(self) -> None:
        """End every outage and every pause."""
        for task in self._tasks:
            task.cancel()
        self._world.servers.store.down = self._world.servers.queue_server.down = False
        for host in self._fleet.current:
            for link in host.links():
                link.cut, link.slow, link.weather = False, 0.0, CALM
            for kind in {trouble.kind for trouble in host.troubles if trouble.until is None}:
                host.go_on(kind)

    def _at(self, when: float, deed: Callable[[], Coroutine[Any, Any, None]]) -> None:
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

    async def _kill(self) -> None:
        if (victim := self._victim()) is not None:
            victim.trouble("killed")
            victim.die()

    async def _stop(self) -> None:
        if (victim := self._victim()) is not None:
            self._note("stop", victim.name)
            victim.stopping.set()

    async def _pause(self) -> None:
        if (victim := self._victim()) is not None:
            victim.pause()
            await asyncio.sleep(self._rng.choice([1, 5, 11, 14, 20]) * self._rng.uniform(0.8, 1.2))
            victim.go_on("paused")

    async def _block(self) -> None:
        if (victim := self._victim(WorkerProcess)) is not None:
            victim.block()
            await asyncio.sleep(self._rng.uniform(1, 25))
            victim.go_on("blocked")

    # --- the network of one process

    async def _cut_store(self) -> None:
        await self._cut("cut from store", [self._world.servers.store])

    async def _cut_queue(self) -> None:
        await self._cut("cut from queue", [self._world.servers.queue_server])

    async def _isolate(self) -> None:
        await self._cut("isolated", [self._world.servers.store, self._world.servers.queue_server])

    async def _cut(self, kind: str, servers: list[Server]) -> None:
        if (victim := self._busy_worker() or self._victim()) is None:
            return
        links = [link for link in victim.links() if link.server in servers]
        victim.trouble(kind)
        for link in links:
            link.cut = True
            if link is victim.queue_link:
                self._world.servers.hints.cut_off(link)
        await asyncio.sleep(self._rng.choice([2, 8, 16, 22, 28]) * self._rng.uniform(0.8, 1.2))
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

    # --- servers

    async def _store_outage(self) -> None:
        await self._outage(self._world.servers.store, self._rng.choice([1, 4, 9, 11, 14, 30]))

    async def _queue_outage(self) -> None:
        self._world.servers.hints.cut_off()
        await self._outage(self._world.servers.queue_server, self._rng.uniform(1, 15))
        if self._rng.random() < 0.3:
            await self._flush()

    async def _outage(self, server: Server, seconds: float) -> None:
        self._note(f"{server.name} down")
        server.down = True
        await asyncio.sleep(seconds * self._rng.uniform(0.8, 1.2))
        server.down = False
        self._note(f"{server.name} up")

    async def _clock_jump(self) -> None:
        by = timedelta(seconds=self._rng.choice([-20, -3, 3, 20]))
        self._note("store clock jumps", by)
        self._world.servers.clock.jump(by)

    # --- the queue's data

    async def _flush(self) -> None:
        self._note("flush")
        self._world.servers.flush()

    async def _bad_entries(self) -> None:
        """Put entries in by hand: of jobs that do not exist, or wait elsewhere, or have ended, or run."""
        known = list(self._world.servers.jobs().values())
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

    async def _take_and_vanish(self) -> None:
        """Claim as a worker would that is killed right after it."""
        plan = StrictOrder().plan(self._rng.randint(1, 3), 0)
        taken = await self._world.servers.queue.claim(plan, timedelta(seconds=10))
        self._note("take and vanish", taken)


def weather_of(rng: Random) -> Weather:
    """Pick how reliable the network of a run is."""
    chance = rng.choice([0.0, 0.01, 0.04, 0.08])
    return Weather(request_lost=chance / 2, reply_lost=chance, conflict=chance, late=rng.choice([0.0, 0.0, 0.004]))
