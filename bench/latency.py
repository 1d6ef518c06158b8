"""How long clients wait: for one job on an idle system, and for news when many watch."""

import asyncio
import time
from collections.abc import Sequence

from bench.clients import NOOP
from bench.worker_runs import stop_worker
from scheduler.adapters.grpc.client import SchedulerClient
from scheduler.application.use_cases.submit_jobs import SubmitCommand
from scheduler.entrypoints.stack import Stack


async def idle_latencies(stack: Stack, jobs: int) -> Sequence[float]:
    """Submit jobs one after the other; return the seconds from each submit to its final event, sorted."""
    async with SchedulerClient(stack.address) as client:
        await _one(client)
        return sorted([await _one(client) for _ in range(jobs)])


async def _one(client: SchedulerClient) -> float:
    started = time.perf_counter()
    job = await client.submit(NOOP)
    async for _ in client.watch(job.job_id):
        pass
    return time.perf_counter() - started


async def watch_delays(stack: Stack, watchers: int) -> Sequence[float]:
    """Let each watcher follow a job of its own while all are run; return the seconds from end to final event, sorted.

    Ends are stamped by the worker's clock, arrivals by this process's: both follow the clock of this machine.
    """
    stop_worker(stack)
    async with SchedulerClient(stack.address) as client:
        submitted = await client.submit_many([SubmitCommand(submission=NOOP)] * watchers)
        watching = asyncio.Semaphore(0)
        watches = [asyncio.create_task(_delay(client, job.job_id, watching)) for job in submitted]
        for _ in submitted:
            await watching.acquire()
        stack.worker.start()
        return sorted(await asyncio.gather(*watches))


async def _delay(client: SchedulerClient, job_id: str, watching: asyncio.Semaphore) -> float:
    ended_at = arrived_at = 0.0
    async for event in client.watch(job_id):
        ended_at, arrived_at = event.at.timestamp(), time.time()
        watching.release()
    return arrived_at - ended_at
