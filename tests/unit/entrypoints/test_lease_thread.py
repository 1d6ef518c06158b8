"""The lease lives in a thread of its own."""

import asyncio
import threading
from datetime import timedelta

from scheduler.adapters.memory.worker_registry import MemoryWorkerRegistry
from scheduler.application.dto import WorkerInfo
from scheduler.application.errors import StoreUnavailableError
from scheduler.application.worker.lease import LeaseKeeper
from scheduler.domain.ids import AttemptId, WorkerId
from scheduler.entrypoints.container import Container, build_container
from scheduler.entrypoints.lease_thread import LeaseThread
from scheduler.entrypoints.process import Backend
from scheduler.entrypoints.resources import LeaseConnection
from scheduler.entrypoints.settings import Settings
from tests.unit.entrypoints.processes import eventually


class NotedRegistry(MemoryWorkerRegistry):
    """Tells other threads of what the lease's thread does."""

    def __init__(self, container: Container) -> None:
        super().__init__(container.adapters.store())
        self.threads: list[str] = []
        self.registered = threading.Event()
        self.renewed = threading.Event()
        self.checked = threading.Event()

    async def register(self, worker: WorkerInfo, lease: timedelta) -> None:
        await super().register(worker, lease)
        self.threads.append(threading.current_thread().name)
        self.registered.set()

    async def renew(self, worker_id: WorkerId, lease: timedelta) -> bool:
        self.renewed.set()
        return await super().renew(worker_id, lease)

    async def held_attempts(self, worker_id: WorkerId) -> frozenset[AttemptId]:
        self.checked.set()
        return await super().held_attempts(worker_id)


def a_thread(container: Container, registry: NotedRegistry) -> LeaseThread:
    def make_keeper(*, registry: NotedRegistry) -> LeaseKeeper:
        return container.lease_keeper(registry=registry)

    return LeaseThread(
        connect=lambda: LeaseConnection(registry),
        make_keeper=make_keeper,
        worker=container.worker(),
        progress=container.common.progress(),
    )


def test_the_lease_is_renewed_while_the_workers_loop_is_blocked_and_closed_at_the_end() -> None:
    async def scenario() -> None:
        container = build_container(Settings(lease_seconds=4), backend=Backend.MEMORY)
        registry = NotedRegistry(container)
        lease = a_thread(container, registry)
        await lease.start()
        assert registry.registered.wait(10)
        assert registry.renewed.wait(10), "blocked, this loop kept the lease's thread from renewing"
        assert registry.threads == ["lease"]
        assert await registry.count_open() == 1
        await lease.stop()
        assert await registry.count_open() == 0
        eventually(lambda: "lease" not in {thread.name for thread in threading.enumerate()})

    asyncio.run(scenario())


def test_what_the_lease_says_reaches_the_worker_on_its_own_loop() -> None:
    async def scenario() -> None:
        container = build_container(Settings(), backend=Backend.MEMORY)
        heard: list[tuple[str, str]] = []
        worker = container.worker()
        opened, checked = worker.lease_opened, worker.attempts_checked
        both = asyncio.Event()

        def lease_opened(worker_id: WorkerId) -> None:
            heard.append(("opened", threading.current_thread().name))
            opened(worker_id)

        def attempts_checked(*, lost: frozenset[AttemptId], strangers: frozenset[AttemptId]) -> None:
            heard.append(("checked", threading.current_thread().name))
            checked(lost=lost, strangers=strangers)
            both.set()

        worker.lease_opened = lease_opened  # type: ignore[method-assign] # listens in
        worker.attempts_checked = attempts_checked  # type: ignore[method-assign] # the same
        lease = a_thread(container, NotedRegistry(container))
        await lease.start()
        await asyncio.wait_for(both.wait(), 10)
        await lease.stop()
        assert heard[:2] == [("opened", "MainThread"), ("checked", "MainThread")]

    asyncio.run(scenario())


class LateConnection(LeaseConnection):
    """Finds the store away so many times."""

    def __init__(self, registry: NotedRegistry, failures: int) -> None:
        super().__init__(registry)
        self.failures = failures
        self.failed = threading.Event()

    async def open(self) -> None:
        if self.failures:
            self.failures -= 1
            self.failed.set()
            raise StoreUnavailableError("away")


def a_late_thread(container: Container, connection: LateConnection) -> LeaseThread:
    def make_keeper(*, registry: NotedRegistry) -> LeaseKeeper:
        return container.lease_keeper(registry=registry)

    return LeaseThread(
        connect=lambda: connection,
        make_keeper=make_keeper,
        worker=container.worker(),
        progress=container.common.progress(),
    )


def test_a_lease_waits_for_a_store_that_is_away_when_it_begins() -> None:
    async def scenario() -> None:
        container = build_container(Settings(), backend=Backend.MEMORY)
        registry = NotedRegistry(container)
        lease = a_late_thread(container, LateConnection(registry, failures=2))
        await lease.start()
        assert registry.registered.wait(10)
        await lease.stop()

    asyncio.run(scenario())


def test_a_lease_that_never_found_the_store_can_be_stopped() -> None:
    async def scenario() -> None:
        container = build_container(Settings(), backend=Backend.MEMORY)
        registry = NotedRegistry(container)
        connection = LateConnection(registry, failures=10_000)
        lease = a_late_thread(container, connection)
        await lease.start()
        assert connection.failed.wait(10)
        await lease.stop()
        eventually(lambda: "lease" not in {thread.name for thread in threading.enumerate()})
        assert not registry.registered.is_set()

    asyncio.run(scenario())


def test_a_thread_that_was_never_started_stops_without_a_word() -> None:
    async def scenario() -> None:
        container = build_container(Settings(), backend=Backend.MEMORY)
        registry = NotedRegistry(container)
        lease = a_thread(container, registry)
        stopping = asyncio.create_task(lease.stop())
        await asyncio.sleep(0)
        stopping.cancel()
        assert not registry.registered.is_set()

    asyncio.run(scenario())
