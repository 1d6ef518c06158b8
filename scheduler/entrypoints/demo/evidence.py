"""What the service says at the end, gathered for the checks."""

import asyncio
import http.client
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from scheduler.adapters.grpc.client import SchedulerClient
from scheduler.adapters.grpc.client_views import AttemptView, EventView, JobView, QueueStatsView
from scheduler.entrypoints.demo.load import Submitted
from scheduler.entrypoints.demo.plan import Kind, Plan, PlannedJob

T = TypeVar("T")
_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_CALLS_AT_ONCE = 16
SETTLE_SECONDS = 15.0
"""How long counters and queues may lag behind the last job: a delivery without acknowledgement ends after 10 s."""
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """The samples of one /metrics page."""

    text: str

    def total(self, name: str, labels: str = "") -> float:
        """Add up a metric's samples, or those that carry the label, such as `status="retry"`."""
        return sum(
            float(value)
            for found, labelled, value in _SAMPLE.findall(self.text)
            if found == name and labels in labelled
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is checked."""

    plan: Plan
    submitted: Submitted
    jobs: Sequence[JobView]
    attempts: Mapping[str, Sequence[AttemptView]]
    results: Sequence[JobView]
    """The jobs that must give one, with it."""
    calls: Mapping[str, int]
    """How often the web service was called, by the ids of the jobs."""
    bookings: Sequence[str]
    """The ids of the jobs in the target database."""
    watched: Sequence[EventView]
    cancelled: Sequence[EventView]
    stats: QueueStatsView
    api_metrics: Metrics
    worker_metrics: Metrics

    @property
    def pairs(self) -> Sequence[tuple[JobView, PlannedJob]]:
        """Return each job that the service lists beside its plan, without those that nobody planned."""
        by_id = self.plan.by_id
        return [(job, by_id[job.job_id]) for job in self.jobs if job.job_id in by_id]

    def job(self, kind: Kind) -> JobView:
        """Return the one job of its kind, as the service lists it."""
        job_id = str(self.plan.of(kind)[0].job_id)
        return next(job for job in self.jobs if job.job_id == job_id)


async def read_attempts(client: SchedulerClient, plan: Plan) -> Mapping[str, Sequence[AttemptView]]:
    """Read the history of each job that is not a plain one."""
    others = [str(job.job_id) for job in plan.jobs if job.kind is not Kind.PLAIN]
    return dict(zip(others, await _read_each(others, client.attempts), strict=True))


async def read_results(client: SchedulerClient, plan: Plan) -> Sequence[JobView]:
    """Read each job that must have a result."""
    return await _read_each([str(job.job_id) for job in plan.jobs if job.result is not None], client.get)


async def _read_each(job_ids: Sequence[str], read: Callable[[str], Awaitable[T]]) -> Sequence[T]:
    slots = asyncio.Semaphore(_CALLS_AT_ONCE)

    async def read_one(job_id: str) -> T:
        async with slots:
            return await read(job_id)

    return await asyncio.gather(*map(read_one, job_ids))


async def settled(read: Callable[[], Awaitable[T]], is_settled: Callable[[T], bool]) -> T:
    """Read until it is settled, for SETTLE_SECONDS at most; return what was read last."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        value = await read()
        if is_settled(value) or time.monotonic() > deadline:
            return value
        await asyncio.sleep(_POLL_SECONDS)


def is_idle(stats: QueueStatsView) -> bool:
    """Return whether nothing waits, is delivered or is to be tried again."""
    return not (stats.processing or stats.scheduled or stats.retrying or any(queue.depth for queue in stats.queues))


async def read_metrics(url: str) -> Metrics:
    """Read a /metrics page. Raises OSError."""
    return Metrics(text=await asyncio.to_thread(_get, url))


def _get(url: str) -> str:
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=5)
    try:
        connection.request("GET", place.path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()
