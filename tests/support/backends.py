"""What a suite that runs on several technologies asks of each."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Protocol, TypeVar

from scheduler.application.ports.ended_jobs import EndedJobs
from scheduler.application.ports.event_bus import EventBus
from scheduler.application.ports.job_queue import JobQueue
from scheduler.application.ports.job_reader import JobReader
from scheduler.application.ports.job_repository import JobRepository
from scheduler.application.ports.job_sweeper import JobSweeper
from scheduler.application.ports.queue_maintenance import QueueEpoch, QueueMaintenance
from scheduler.application.ports.store_time import StoreTime
from scheduler.application.ports.worker_registry import WorkerRegistry

T = TypeVar("T")
DEADLINE_SECONDS = 20.0
SMALL_SCAN = 3
"""How many ended jobs the backends of the suites look at in one step."""
SMALL_KINDS = 3
"""Of how many of the newest jobs, and of how many others, they look for kinds of errors."""
SMALL_CAP = 4
"""How many jobs of one kind of error they count."""


class Run(Protocol):
    """Runs one coroutine to its end on the suite's event loop."""

    def __call__(self, coroutine: Coroutine[object, object, T], /) -> T: ...


class Backend(Protocol):
    """Opened once for all tests, reset before each."""

    async def open(self) -> object: ...

    async def close(self) -> None: ...

    async def reset(self) -> None: ...


class StoreBackend(Backend, Protocol):
    """All ports over one store of jobs."""

    @property
    def repository(self) -> JobRepository: ...

    @property
    def reader(self) -> JobReader: ...

    @property
    def ended_jobs(self) -> EndedJobs: ...

    @property
    def sweeper(self) -> JobSweeper: ...

    @property
    def registry(self) -> WorkerRegistry: ...

    @property
    def store_time(self) -> StoreTime: ...


class QueueBackend(Backend, Protocol):
    """All ports over one queue server."""

    @property
    def queue(self) -> JobQueue: ...

    @property
    def maintenance(self) -> QueueMaintenance: ...

    @property
    def epoch(self) -> QueueEpoch: ...

    @property
    def bus(self) -> EventBus: ...

    async def put_junk(self) -> None:
        """Put members that are no ids where ids should be, if that is possible."""

    async def put_wrong_type(self) -> None:
        """Replace every key by one of another type, if that is possible."""

    async def lose_data(self) -> None:
        """Lose everything, as a server without persistence does when it restarts."""


async def eventually(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait until the condition holds; fail when it does not within the deadline."""
    give_up = time.monotonic() + DEADLINE_SECONDS
    while not await condition():
        assert time.monotonic() < give_up, f"never happened: {what}"
        await asyncio.sleep(0.005)
