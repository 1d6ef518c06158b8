"""The two benches: the main figures in a minute, and everything else, which takes longer."""

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench.bare_sql import BareSql
from bench.clients import Clients
from bench.figures import Figure, percentile
from bench.latency import idle_latencies, watch_delays
from bench.refill import refill_seconds
from bench.start import seconds_until_ready
from bench.worker_runs import Observer, drain, stop_worker
from scheduler.entrypoints.stack import Stack

SLOTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured."""

    submitted: int = 20_000
    unary: int = 3_000
    drained: int = 10_000
    latencies: int = 200
    watchers: int = 500
    refilled: int = 100_000


QUICK = Size()
LONG = Size(submitted=100_000, unary=20_000, drained=50_000, latencies=1_000)


def measure_main(size: Size) -> Sequence[Figure]:
    """Measure the figures that have goals, on one api, one worker and one reaper process."""
    with tempfile.TemporaryDirectory(prefix="scheduler-bench-") as directory:
        starts = _start_up(Path(directory) / "up")
    with Clients() as clients, _stack() as stack:
        latency = _latency(stack, size)
        drained = _drain(stack, clients, size)
        # A worker that sleeps costs nothing, one that drains would: this is about submits alone.
        stop_worker(stack)
        return [*starts, *latency, *_submits(stack, clients, size), *drained]


def measure_more(size: Size) -> Sequence[Figure]:
    """Measure mixed load, several processes, many watchers, and Redis after it lost everything."""
    with Clients(2) as clients:
        with _stack() as stack:
            figures = [*_mixed(stack, clients, size), *_watchers(stack, size)]
        with _stack(api_processes=2, worker_processes=2) as stack:
            figures += [*_two_workers(stack, clients, size), *_two_apis(stack, clients, size)]
        with _stack() as stack:
            return [*figures, *_refill(stack, clients, size)]


@contextmanager
def _stack(*, api_processes: int = 1, worker_processes: int = 1) -> Iterator[Stack]:
    with (
        tempfile.TemporaryDirectory(prefix="scheduler-bench-") as directory,
        Stack(
            data_dir=Path(directory),
            api_processes=api_processes,
            worker_processes=worker_processes,
            environment={"WORKER_POOL_SIZE": SLOTS},
        ) as stack,
    ):
        yield stack


def _start_up(data_dir: Path) -> Sequence[Figure]:
    return [
        Figure(name="`scheduler up`, new data", value=seconds_until_ready(data_dir), unit="s", goal=5),
        Figure(name="`scheduler up`, again", value=seconds_until_ready(data_dir), unit="s", goal=5),
    ]


def _latency(stack: Stack, size: Size) -> Sequence[Figure]:
    waits = [wait * 1000 for wait in asyncio.run(idle_latencies(stack, size.latencies))]
    return [
        Figure(name="idle, submit to final event, median", value=percentile(waits, 0.5), unit="ms", goal=50),
        Figure(name="idle, submit to final event, p95", value=percentile(waits, 0.95), unit="ms"),
    ]


def _submits(stack: Stack, clients: Clients, size: Size) -> Sequence[Figure]:
    bare = BareSql(stack.postgres.url)
    unary = clients.unary_rate(stack.address, size.unary)
    batches = clients.submit_rate(stack.address, size.submitted)
    return [
        Figure(
            name="SubmitJob, 64 callers (bare: one connection)",
            value=unary,
            unit="jobs/s",
            raw=bare.insert(size.unary, batch_size=1),
        ),
        Figure(
            name="SubmitJobs, batches of 1,000",
            value=batches,
            unit="jobs/s",
            goal=10_000,
            raw=bare.insert(size.submitted),
        ),
    ]


def _drain(stack: Stack, clients: Clients, size: Size) -> Sequence[Figure]:
    drained = drain(stack, clients, size.drained)
    bare = BareSql(stack.postgres.url)
    bare.insert(size.drained)
    raw = bare.start_and_finish(size.drained)
    name = f"{size.drained:,} no-op jobs drained, {SLOTS} slots"
    return [
        Figure(name=f"{name}, SQL's timestamps", value=drained.by_sql, unit="jobs/s", goal=3_000, raw=raw),
        Figure(name=f"{name}, wall clock", value=drained.by_wall_clock, unit="jobs/s", goal=3_000, raw=raw),
    ]


def _mixed(stack: Stack, clients: Clients, size: Size) -> Sequence[Figure]:
    with psycopg.connect(stack.postgres.url, autocommit=True) as connection:
        observer = Observer(connection)
        submitted = clients.submit_rate(stack.address, size.drained)
        drained = observer.watch(size.drained)
    return [
        Figure(name="mixed load, submitted while draining", value=submitted, unit="jobs/s"),
        Figure(name="mixed load, first start to last end", value=drained.by_sql, unit="jobs/s"),
    ]


def _watchers(stack: Stack, size: Size) -> Sequence[Figure]:
    delays = [delay * 1000 for delay in asyncio.run(watch_delays(stack, size.watchers))]
    name = f"{size.watchers} watchers, end to final event"
    return [
        Figure(name=f"{name}, median", value=percentile(delays, 0.5), unit="ms"),
        Figure(name=f"{name}, last", value=delays[-1], unit="ms"),
    ]


def _two_workers(stack: Stack, clients: Clients, size: Size) -> Sequence[Figure]:
    drained = drain(stack, clients, size.drained)
    return [
        Figure(name="drained by worker --processes 2", value=drained.by_sql, unit="jobs/s"),
    ]


def _two_apis(stack: Stack, clients: Clients, size: Size) -> Sequence[Figure]:
    stop_worker(stack)
    return [
        Figure(name="SubmitJob, api --processes 2", value=clients.unary_rate(stack.address, size.unary), unit="jobs/s"),
        Figure(
            name="SubmitJobs, api --processes 2",
            value=clients.submit_rate(stack.address, size.submitted),
            unit="jobs/s",
        ),
    ]


def _refill(stack: Stack, clients: Clients, size: Size) -> Sequence[Figure]:
    stop_worker(stack)
    clients.submit_rate(stack.address, size.refilled)
    flushed, evicted = refill_seconds(stack, size.refilled)
    name = f"queue of {size.refilled:,} jobs is back after"
    return [
        Figure(name=f"{name} FLUSHALL", value=flushed, unit="s", goal=10),
        Figure(name=f"{name} its eviction", value=evicted, unit="s", goal=15),
    ]
