"""What the service says at the end, gathered for the checks."""

import asyncio
import http.client
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from scheduler.adapters.grpc.client import SchedulerClient
from scheduler.adapters.grpc.client_views import AttemptView, EventView, JobView, QueueStatsView
from scheduler.entrypoints.demo.load import Submitted
from scheduler.entrypoints.demo.plan import Kind, Plan, PlannedJob

_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_CALLS_AT_ONCE = 16


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
    slots = asyncio.Semaphore(_CALLS_AT_ONCE)

    async def read(job_id: str) -> tuple[str, Sequence[AttemptView]]:
        async with slots:
            return job_id, await client.attempts(job_id)

    others = [str(job.job_id) for job in plan.jobs if job.kind is not Kind.PLAIN]
    return dict(await asyncio.gather(*map(read, others)))


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
