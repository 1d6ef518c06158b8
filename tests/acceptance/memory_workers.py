"""Workers in the scheduler's own process: the real ones, lease and all, but for the process around each."""

import asyncio
from datetime import timedelta

from scheduler.adapters.memory.event_bus import MemoryEventBus
from scheduler.adapters.memory.switch import Switch
from scheduler.application.errors import QueueUnavailableError, StoreUnavailableError
from scheduler.domain.priority import StrictOrder
from scheduler.entrypoints.container.application import Container
from scheduler.entrypoints.container.common import Common
from scheduler.entrypoints.container.memory_adapters import MemoryAdapters
from tests.acceptance.driver import Workers, WorkerTerms

HAND_OUT = timedelta(seconds=1)
STANDING = "standing"


class MemoryWorker:
    """One worker, from its start to its end."""

    def __init__(self, container: Container, switches: list[Switch], grace_seconds: float) -> None:
        self._container = container
        self._switches = switches
        self._stopping = asyncio.Event()
        self._leaving = asyncio.Event()
        worker, registry = container.worker(), container.lease_connection().registry
        keeper = container.lease_keeper(registry=registry)
        self._work = asyncio.create_task(worker.run(self._stopping, grace_seconds=grace_seconds))
        self._lease = asyncio.create_task(keeper.run(worker, self._leaving))
        self._progress = asyncio.create_task(container.progress_board().run(self._leaving))

    async def stop(self) -> None:
        self._stopping.set()
        await self._work
        self._leaving.set()
        await asyncio.gather(self._lease, self._progress)

    async def crash(self) -> None:
        tasks = (self._work, self._lease, self._progress)
        for task in tasks:
            task.cancel()
        self._container.runner().abandon()
        await asyncio.gather(*tasks, return_exceptions=True)

    def cut_off(self) -> None:
        for switch in self._switches:
            switch.off()

    def reconnect(self) -> None:
        for switch in self._switches:
            switch.on()


class MemoryWorkers(Workers):
    """All workers over one store and one queue."""

    def __init__(self, common: Common, shared: MemoryAdapters) -> None:
        self._common = common
        self._shared = shared
        self._workers: dict[str, MemoryWorker] = {}

    async def keep_one(self) -> None:
        if STANDING not in self._workers:
            await self.start(STANDING, WorkerTerms())

    async def start(self, name: str, terms: WorkerTerms) -> None:
        base = self._common.settings()
        order = "weighted" if terms.weighted else "strict"
        settings = base.model_copy(update={"worker_pool_size": terms.places, "claim_order": order})
        adapters, switches = self._own_adapters()
        container = Container(common=self._common, adapters=adapters)
        with self._common.settings.override(settings):
            # Built now, for its parts ask for the settings once.
            container.worker()
        self._workers[name] = MemoryWorker(container, switches, settings.grace_seconds)

    def _own_adapters(self) -> tuple[MemoryAdapters, list[Switch]]:
        """Make the worker's own way to the store and the queue, which can be cut."""
        adapters = MemoryAdapters(common=self._common)
        for name in ("store", "queue_state", "bus"):
            getattr(adapters, name).override(getattr(self._shared, name)())
        bus = self._shared.bus()
        assert isinstance(bus, MemoryEventBus)
        store, queue = Switch(StoreUnavailableError), Switch(QueueUnavailableError, bus.cut_off)
        for switch, names in ((store, ("repository", "sweeper", "registry")), (queue, ("queue", "bus"))):
            for name in names:
                provider = getattr(adapters, name)
                provider.override(switch.guard(provider()))
        return adapters, [store, queue]

    async def stop_all(self) -> None:
        for name in tuple(self._workers):
            await self.stop(name)

    async def stop(self, name: str) -> None:
        await self._workers.pop(name).stop()

    async def crash(self, name: str) -> None:
        await self._workers.pop(name).crash()

    async def cut_off(self, name: str) -> None:
        self._workers[name].cut_off()

    async def reconnect(self, name: str) -> None:
        self._workers[name].reconnect()

    async def take_and_vanish(self, count: int) -> int:
        return len(await self._shared.queue().claim(StrictOrder().plan(count, 0), HAND_OUT))
