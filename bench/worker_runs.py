"""What workers do with a queue: how fast they drain it, as SQL tells and as a clock on the wall does."""

import time
from dataclasses import dataclass

import psycopg

from bench.clients import Clients
from scheduler.entrypoints.stack import Stack

POLL_SECONDS = 0.02
DRAIN_SECONDS = 120.0
_NOW = "SELECT now()"
_STARTED = "SELECT EXISTS (SELECT 1 FROM jobs WHERE started_at > %s::TIMESTAMPTZ)"
_LEFT = "SELECT EXISTS (SELECT 1 FROM jobs WHERE state IN ('QUEUED', 'RUNNING'))"
_SPAN = """
SELECT count(*), extract(epoch FROM max(finished_at) - min(started_at))::FLOAT8
FROM jobs WHERE started_at > %s::TIMESTAMPTZ AND state = 'SUCCEEDED'
"""


class BenchError(Exception):
    """A measurement could not be made: something broke."""


@dataclass(frozen=True, slots=True)
class Drain:
    """Jobs a second, from the first start to the last end."""

    by_sql: float
    by_wall_clock: float


class Observer:
    """One connection that watches the jobs that are started after it came."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        row = connection.execute(_NOW).fetchone()
        self._since = None if row is None else row[0]

    def watch(self, expected: int) -> Drain:
        """Wait until nothing is queued or running; raises BenchError unless all jobs have succeeded."""
        self._wait_until(_STARTED, holds=True)
        started = time.monotonic()
        self._wait_until(_LEFT, holds=False)
        ended = time.monotonic()
        row = self._connection.execute(_SPAN, (self._since,)).fetchone()
        if row is None or row[0] != expected:
            raise BenchError(f"{expected} jobs were to succeed, but {row} did")
        return Drain(expected / row[1], expected / (ended - started))

    def _wait_until(self, question: str, *, holds: bool) -> None:
        deadline = time.monotonic() + DRAIN_SECONDS
        parameters = (self._since,) if "%s" in question else ()
        while self._connection.execute(question.encode(), parameters).fetchone() != (holds,):
            if time.monotonic() > deadline:
                raise BenchError(f"not so after {DRAIN_SECONDS:g} s: {question}")
            time.sleep(POLL_SECONDS)


def drain(stack: Stack, clients: Clients, jobs: int) -> Drain:
    """Queue no-op jobs while no worker runs, then start it."""
    stop_worker(stack)
    clients.submit_rate(stack.address, jobs)
    with psycopg.connect(stack.postgres.url, autocommit=True) as connection:
        observer = Observer(connection)
        stack.worker.start()
        return observer.watch(jobs)


def stop_worker(stack: Stack) -> None:
    """Stop the worker process gracefully."""
    stack.worker.ask_to_stop()
    stack.worker.await_end()
