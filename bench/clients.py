"""Clients in processes of their own, so that what they cost is not taken for the measuring process's."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from types import TracebackType
from typing import Self

from scheduler.adapters.grpc.client import SchedulerClient
from scheduler.application.use_cases.submit_jobs import SubmitCommand
from scheduler.domain.priority import Priority
from scheduler.domain.submission import Submission

BATCH = 1000
BATCH_CALLERS = 4
UNARY_CALLERS = 64
NOOP = Submission(type="noop", priority=Priority.DEFAULT)


@dataclass(frozen=True, slots=True)
class Work:
    """So many jobs, submitted from `started` to `ended` on the machine's monotonic clock."""

    jobs: int
    started: float
    ended: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one client process submits: one job a call, or `batch` of them, by so many callers at once."""

    address: str
    jobs: int
    batch: int = BATCH
    callers: int = BATCH_CALLERS


class Clients:
    """Client processes, started once and used for load after load."""

    def __init__(self, processes: int = 1) -> None:
        self._processes = processes
        self._pool: Executor = ProcessPoolExecutor(processes, mp_context=get_context("spawn"))

    def __enter__(self) -> Self:
        """Start all processes now, so that no load waits for its process."""
        list(self._pool.map(time.sleep, [0.2] * self._processes))
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """End them."""
        self._pool.shutdown()

    def submit_rate(self, address: str, jobs: int) -> float:
        """Submit jobs, a multiple of 1,000 for each process, in batches of 1,000; return jobs a second."""
        return self._rate([Load(address=address, jobs=share) for share in self._shares(jobs)])

    def unary_rate(self, address: str, jobs: int) -> float:
        """Submit jobs one a call, from 64 callers; return jobs a second."""
        callers = UNARY_CALLERS // self._processes
        return self._rate([Load(address=address, jobs=share, batch=1, callers=callers) for share in self._shares(jobs)])

    def _shares(self, jobs: int) -> Sequence[int]:
        return [jobs // self._processes] * self._processes

    def _rate(self, loads: Sequence[Load]) -> float:
        done = list(self._pool.map(submit_load, loads))
        seconds = max(work.ended for work in done) - min(work.started for work in done)
        return sum(work.jobs for work in done) / seconds


def submit_load(load: Load) -> Work:
    """Submit it all; the connection is made before the clock starts."""
    return asyncio.run(_submit_load(load))


async def _submit_load(load: Load) -> Work:
    async with SchedulerClient(load.address) as client:
        await client.queue_stats()
        calls = load.jobs // load.batch
        started = time.monotonic()
        await in_parallel(_call(client, load.batch), calls, load.callers)
        return Work(calls * load.batch, started, time.monotonic())


def _call(client: SchedulerClient, batch: int) -> Callable[[], Coroutine[None, None, object]]:
    if batch == 1:
        return lambda: client.submit(NOOP)
    commands = [SubmitCommand(submission=NOOP)] * batch
    return lambda: client.submit_many(commands)


async def in_parallel(call: Callable[[], Coroutine[None, None, object]], calls: int, callers: int) -> None:
    """Make so many calls, at most `callers` of them at a time."""
    left = iter(range(calls))

    async def caller() -> None:
        for _ in left:
            await call()

    await asyncio.gather(*(caller() for _ in range(callers)))
