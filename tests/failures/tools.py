"""One client, the jobs that it submits, and what became of them: for tests that break a part of a fleet."""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import uuid4

import psycopg
from redis import Redis

from scheduler.adapters.grpc.client import SchedulerClient
from scheduler.adapters.grpc.client_views import AttemptView, EventView, JobView
from scheduler.adapters.redis.keys import Keys
from scheduler.application.dto import JobFilter
from scheduler.application.use_cases.submit_jobs import SubmitCommand
from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.priority import Priority
from scheduler.domain.state import FINAL_STATES, JobState
from scheduler.domain.submission import Submission
from tests.acceptance.operations import metric
from tests.chaos.fleet import Fleet
from tests.chaos.handler import CHAOS_WORK
from tests.chaos.ledger import Entry, Mark, read_ledgers
from tests.chaos.part import Part
from tests.chaos.specs import QUICK_RETRIES

T = TypeVar("T")
PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.05
LABEL = "scene"
KEYS = Keys()


def as_parameter(text: str) -> bytes:
    """Return how an array of one word goes to PostgreSQL: found in the values of a write, not in its SQL."""
    return f"{{{text}}}".encode()


class Scene:
    """Drives its client from a synchronous test."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.client = SchedulerClient(fleet.address)
        self._labels = {LABEL: str(uuid4())}
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        self._mend()
        self.run(self.client.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._mend()
        for job in self.jobs():
            if job.state not in FINAL_STATES:
                self.run(self.client.cancel(job.job_id))
        self.run(self.client.__aexit__(None, None, None))
        self._runner.close()

    def _mend(self) -> None:
        self.fleet.postgres.start()
        self.fleet.valkey.start()
        self.fleet.heal()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def part(self, name: str) -> Part:
        return self.fleet.parts[name]

    # --- jobs

    def submission(
        self,
        *,
        priority: Priority = Priority.DEFAULT,
        max_attempts: int = 3,
        timeout: float = 60.0,
        key: str | None = None,
        delay: float | None = None,
        **behaviour: float,
    ) -> Submission:
        return Submission(
            type=CHAOS_WORK,
            priority=priority,
            payload=json.dumps(behaviour),
            max_attempts=max_attempts,
            timeout=timedelta(seconds=timeout),
            retry_policy=QUICK_RETRIES,
            idempotency_key=key,
            run_at=None if delay is None else self.store_now() + timedelta(seconds=delay),
            labels=self._labels,
        )

    def submit(self, submission: Submission | None = None, *, seconds: float = 0.0) -> str:
        wanted = submission or self.submission(seconds=seconds)
        return self.run(self.client.submit(wanted)).job_id

    def submit_many(self, count: int, submission: Submission) -> Sequence[str]:
        commands = [SubmitCommand(submission=submission)] * count
        return [job.job_id for job in self.run(self.client.submit_many(commands))]

    def job(self, job_id: str) -> JobView:
        return self.run(self.client.get(job_id))

    def jobs(self) -> Sequence[JobView]:
        async def collect() -> Sequence[JobView]:
            return [job async for job in self.client.list(JobFilter(labels=self._labels), page_size=1000)]

        return self.run(collect())

    def outcomes(self, job_id: str) -> Sequence[AttemptOutcome | None]:
        return [attempt.outcome for attempt in self.attempts(job_id)]

    def attempts(self, job_id: str) -> Sequence[AttemptView]:
        return self.run(self.client.attempts(job_id))

    def watch(self, job_id: str) -> Coroutine[Any, Any, Sequence[EventView]]:
        async def follow() -> Sequence[EventView]:
            return [event async for event in self.client.watch(job_id)]

        return follow()

    def until_state(self, job_id: str, *states: JobState) -> JobView:
        """Wait until the job is in one of these states, or in any final one."""
        wanted = states or tuple(FINAL_STATES)
        self.until(lambda: self.job(job_id).state in wanted)
        return self.job(job_id)

    def until_all_ended(self) -> Sequence[JobView]:
        self.until(lambda: all(job.state in FINAL_STATES for job in self.jobs()))
        return self.jobs()

    # --- what handlers did

    def marks(self, job_id: str, mark: Mark = Mark.STARTED) -> Sequence[Entry]:
        return [entry for entry in read_ledgers(self.fleet.ledger) if entry.job_id == job_id and entry.mark is mark]

    def until_started(self, job_id: str, times: int = 1) -> None:
        self.until(lambda: len(self.marks(job_id)) >= times)

    # --- Redis

    def redis(self) -> "closing[Redis]":
        return closing(Redis.from_url(self.fleet.valkey.url, decode_responses=True))

    def queued(self) -> frozenset[str]:
        """Return all that is queued or handed out."""
        with self.redis() as redis:
            found: list[str] = []
            for key in (*KEYS.queues, KEYS.processing):
                members: Any = redis.zrange(key, 0, -1)
                found += members
        return frozenset(found)

    def enqueue(self, *job_ids: str, priority: Priority = Priority.DEFAULT) -> None:
        """Put ids into a queue by hand, at its head, and wake nobody."""
        with self.redis() as redis:
            redis.zadd(KEYS.queue(priority), dict.fromkeys(job_ids, 1.0))

    # --- time

    def store_now(self) -> datetime:
        with psycopg.connect(self.fleet.postgres.url) as connection:
            now = connection.execute("SELECT now()").fetchall()[0][0]
        assert isinstance(now, datetime)
        return now

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, "it never happened"
            time.sleep(POLL_SECONDS)

    def measured(self, what: str, began: float) -> None:
        """Tell how long something took since a moment: shown by pytest -rP."""
        sys.stdout.write(f"measured: {what}: {time.monotonic() - began:.1f} s\n")


def counted(process: Part, name: str, **labels: str) -> float:
    """Read a metric of a process."""
    return metric(process.metrics_port, name, **labels)
