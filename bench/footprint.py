"""What a job costs: processor time of each part, commits, write-ahead log, disk and Redis memory.

Unlike rates, these hardly change when the machine is busy: a plan for other machines starts from them (Linux only).
"""

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import psycopg
import redis

from bench.clients import Clients
from bench.figures import Figure
from bench.worker_runs import BenchError, Observer, stop_worker
from scheduler.adapters.embedded.guard import tree
from scheduler.entrypoints.stack import Stack

BATCHED_JOBS = 50_000
UNARY_JOBS = 10_000
SLOTS = 100
# PostgreSQL's statistics are shown at most a second late.
STATISTICS_SECONDS = 1.5
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_USER_TIME, _REAPED_SYSTEM_TIME = 11, 14
_COUNTS = """
SELECT (pg_current_wal_lsn() - '0/0'::PG_LSN)::FLOAT8, xact_commit::FLOAT8
FROM pg_stat_database WHERE datname = current_database()
"""
_SIZES = """
SELECT sum(pg_table_size(oid))::FLOAT8, sum(pg_indexes_size(oid))::FLOAT8
FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::REGNAMESPACE
"""


@dataclass(frozen=True, slots=True)
class Usage:
    """Seconds of processor time, bytes of log and memory, and commits."""

    api: float
    worker: float
    postgres: float
    valkey: float
    wal: float
    commits: float
    memory: float

    def per_job(self, earlier: "Usage", jobs: int) -> "Usage":
        """Return what each of so many jobs has used since an earlier reading."""
        return Usage(*((now - then) / jobs for now, then in zip(astuple(self), astuple(earlier), strict=True)))


def measure_footprint() -> Sequence[Figure]:
    """Submit jobs one a call, then in batches with no worker, then while one runs them."""
    with (
        tempfile.TemporaryDirectory(prefix="scheduler-bench-") as directory,
        Clients() as clients,
        Stack(data_dir=Path(directory), environment={"WORKER_POOL_SIZE": SLOTS}) as stack,
        psycopg.connect(stack.postgres.url, autocommit=True) as sql,
    ):
        stop_worker(stack)
        unary = _used(stack, sql, UNARY_JOBS, lambda: clients.unary_rate(stack.address, UNARY_JOBS))
        batched = _used(stack, sql, BATCHED_JOBS, lambda: clients.submit_rate(stack.address, BATCHED_JOBS))
        observer = Observer(sql)
        stack.worker.start()
        observer.watch(UNARY_JOBS + BATCHED_JOBS)
        life = _used(stack, sql, BATCHED_JOBS, lambda: _run(stack, clients, sql))
        kept = _sizes(sql, UNARY_JOBS + 2 * BATCHED_JOBS)
    return [
        *_submit_figures("SubmitJob, one a call", unary),
        *_submit_figures("SubmitJobs, batches of 1,000", batched),
        Figure(name="Redis memory of a queued job", value=batched.memory, unit="B"),
        *_life_figures("batched submit, no-op run and end", life),
        *kept,
    ]


def _run(stack: Stack, clients: Clients, sql: psycopg.Connection) -> None:
    observer = Observer(sql)
    clients.submit_rate(stack.address, BATCHED_JOBS)
    observer.watch(BATCHED_JOBS)


def _submit_figures(name: str, used: Usage) -> Sequence[Figure]:
    return [
        _microseconds(f"{name}: api", used.api),
        _microseconds(f"{name}: PostgreSQL", used.postgres),
        _microseconds(f"{name}: Valkey", used.valkey),
        Figure(name=f"{name}: write-ahead log", value=used.wal, unit="B"),
        Figure(name=f"{name}: commits", value=used.commits, unit=""),
    ]


def _life_figures(name: str, used: Usage) -> Sequence[Figure]:
    return [*_submit_figures(name, used), _microseconds(f"{name}: worker", used.worker)]


def _microseconds(name: str, seconds: float) -> Figure:
    return Figure(name=name, value=seconds * 1e6, unit="µs")


def _used(stack: Stack, sql: psycopg.Connection, jobs: int, work: Callable[[], object]) -> Usage:
    before = _read(stack, sql)
    work()
    return _read(stack, sql).per_job(before, jobs)


def _read(stack: Stack, sql: psycopg.Connection) -> Usage:
    time.sleep(STATISTICS_SECONDS)
    wal, commits = _row(sql, _COUNTS)
    with redis.Redis.from_url(stack.valkey.url) as client:
        memory = client.info("memory")["used_memory"]
    return Usage(
        api=_processor_seconds(stack.api.pid),
        worker=_processor_seconds(stack.worker.pid),
        postgres=_processor_seconds(stack.postgres.pid),
        valkey=_processor_seconds(stack.valkey.pid),
        wal=wal,
        commits=commits,
        memory=memory,
    )


def _sizes(sql: psycopg.Connection, jobs: int) -> Sequence[Figure]:
    tables, indexes = _row(sql, _SIZES)
    return [
        Figure(name="kept job with one attempt: tables", value=tables / jobs, unit="B"),
        Figure(name="kept job with one attempt: indexes", value=indexes / jobs, unit="B"),
    ]


def _row(sql: psycopg.Connection, query: str) -> tuple[float, float]:
    row = sql.execute(query.encode()).fetchone()
    if row is None:
        raise BenchError(f"no answer to: {query}")
    return row[0], row[1]


def _processor_seconds(root: int | None) -> float:
    """Return what a process and its children have used, those that have ended too; 0 for one that is not there."""
    if root is None:
        return 0.0
    ticks = 0
    for pid in tree(root):
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            continue
        fields = stat.rpartition(")")[2].split()
        ticks += sum(map(int, fields[_USER_TIME : _REAPED_SYSTEM_TIME + 1]))
    return ticks / _TICKS_A_SECOND
