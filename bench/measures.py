"""The measurements, each against a running stack."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from scheduler.adapters.embedded.ports import free_port
from scheduler.adapters.grpc.client import SchedulerClient
from scheduler.application.use_cases.submit_jobs import SubmitCommand
from scheduler.domain.priority import Priority
from scheduler.domain.submission import Submission
from scheduler.entrypoints.stack import Stack

BATCH = 1000
CLIENTS = 4
POLL_SECONDS = 0.1
_BUSY = """
SELECT extract(epoch FROM max(finished_at) - min(started_at))::FLOAT8 FROM jobs WHERE started_at > %s::TIMESTAMPTZ
"""
_LEFT = "SELECT count(*) FROM jobs WHERE state <> 'SUCCEEDED'"


def seconds_until_ready(data_dir: Path) -> float:
    """Run `scheduler up` as a command and return the seconds until it says that it serves."""
    command = [sys.executable, "-m", "scheduler.entrypoints.cli", "up", "--data-dir", str(data_dir)]
    ports = ["--grpc-port", str(free_port()), "--metrics-port", str(free_port())]
    started = time.perf_counter()
    with subprocess.Popen([*command, *ports], stdout=subprocess.PIPE, text=True) as up:
        line = up.stdout.readline() if up.stdout is not None else ""
        seconds = time.perf_counter() - started
        up.terminate()
    if not line.startswith("serving"):
        raise RuntimeError("`scheduler up` did not start")
    return seconds


async def latencies(stack: Stack, count: int) -> Sequence[float]:
    """Submit jobs one after the other; return the seconds from each submit to its final event, sorted."""
    async with SchedulerClient(stack.address) as client:
        return sorted([await _latency(client) for _ in range(count)])


async def _latency(client: SchedulerClient) -> float:
    started = time.perf_counter()
    job = await client.submit(_noop())
    async for _ in client.watch(job.job_id):
        pass
    return time.perf_counter() - started


async def unary_submit_rate(stack: Stack, count: int, callers: int = 64) -> float:
    """Submit jobs one a call, from many callers at once; return jobs a second."""
    async with SchedulerClient(stack.address) as client:
        jobs = iter(range(count))

        async def call() -> None:
            for _ in jobs:
                await client.submit(_noop())

        return count / await _timed(asyncio.gather(*(call() for _ in range(callers))))


async def batch_submit_rate(stack: Stack, count: int) -> float:
    """Submit jobs in batches of 1,000 from a few callers at once; return jobs a second."""
    async with SchedulerClient(stack.address) as client:
        batches = iter([[SubmitCommand(submission=_noop())] * BATCH for _ in range(count // BATCH)])

        async def call() -> None:
            for batch in batches:
                await client.submit_many(batch)

        return count / await _timed(asyncio.gather(*(call() for _ in range(CLIENTS))))


async def drain_rate(stack: Stack, count: int) -> float:
    """Queue no-op jobs while no worker runs, then start one; return jobs a second from first start to last end."""
    stack.worker.ask_to_stop()
    stack.worker.await_end()
    await batch_submit_rate(stack, count)
    started_after = datetime.now(UTC)
    stack.worker.start()
    return count / await asyncio.to_thread(_busy_seconds, stack.postgres.url, started_after)


def _busy_seconds(url: str, started_after: datetime) -> float:
    """Wait until all jobs have succeeded; return the seconds from the first start to the last end."""
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute(_LEFT).fetchone() != (0,):
            time.sleep(POLL_SECONDS)
        row = connection.execute(_BUSY, (started_after,)).fetchone()
    if row is None or not isinstance(row[0], float):
        raise RuntimeError("no job was started")
    return row[0]


async def _timed(work: Awaitable[object]) -> float:
    started = time.perf_counter()
    await work
    return time.perf_counter() - started


def _noop() -> Submission:
    return Submission(type="noop", priority=Priority.DEFAULT)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which that share of the sorted values lies."""
    return values[min(len(values) - 1, int(len(values) * share))]
