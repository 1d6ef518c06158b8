"""The whole scheduler in one process and in virtual time: hours pass in milliseconds, and each run is like the last."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from scheduler.adapters.handlers.definition import AnyDefinition
from scheduler.adapters.memory.fixed_clock import FixedClock
from scheduler.adapters.memory.fixed_randomness import FixedRandomness
from scheduler.adapters.memory.sequential_ids import SequentialIds
from scheduler.entrypoints.container.application import Container
from scheduler.entrypoints.container.common import Common
from scheduler.entrypoints.container.memory_adapters import MemoryAdapters
from scheduler.entrypoints.operations import make_loop
from scheduler.entrypoints.process import ProcessOptions
from scheduler.entrypoints.reaper import duties
from scheduler.entrypoints.settings import Settings
from tests.acceptance import unruly_jobs, unwilling_jobs, user_jobs
from tests.acceptance.driver import Driver
from tests.acceptance.memory_client import MemoryClient
from tests.acceptance.memory_workers import MemoryWorkers
from tests.acceptance.virtual_time import VirtualTimeLoop

GRACE_SECONDS = 1.5

HANDLERS: Sequence[AnyDefinition] = (
    user_jobs.pack,
    user_jobs.weigh,
    unruly_jobs.stay,
    unruly_jobs.harm,
    *unwilling_jobs.HANDLERS,
)


class MemoryDriver(Driver):
    """Real use cases, worker and reaper loops over the memory adapters; nothing sleeps."""

    slack = timedelta(seconds=0.3)
    clocks = timedelta(0)

    def __init__(self) -> None:
        self._clock = FixedClock()
        self._common = Common(settings=Settings(grace_seconds=GRACE_SECONDS), options=ProcessOptions(handlers=HANDLERS))
        self._common.clock.override(self._clock)
        self._common.ids.override(SequentialIds())
        self._common.randomness.override(FixedRandomness())
        adapters = MemoryAdapters(common=self._common)
        self._container = Container(common=self._common, adapters=adapters)
        self.client = MemoryClient(self._container)
        self.workers = MemoryWorkers(self._common, adapters)
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def now(self) -> datetime:
        return self._clock.now()

    def new_loop(self) -> asyncio.AbstractEventLoop:
        return VirtualTimeLoop(self._clock)

    async def open(self) -> None:
        hub = self._container.watch_hub()
        loops = [make_loop(self._container, "watch", hub.refresh_once, interval=0.01), *duties(self._container)]
        self._tasks = [asyncio.create_task(loop.run(self._stopping)) for loop in loops]
        self._tasks.append(asyncio.create_task(hub.listen(self._stopping)))

    async def close(self) -> None:
        await self.workers.stop_all()
        self._stopping.set()
        await asyncio.gather(*self._tasks)
