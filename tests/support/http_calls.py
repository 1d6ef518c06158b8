"""Calls of http_call, as a worker would make them."""

import json
from collections.abc import Sequence
from ipaddress import ip_network
from uuid import UUID

from scheduler.adapters.handlers.http_call import HttpCallHandler, HttpClient
from scheduler.adapters.handlers.http_call.addresses import IpNetwork
from scheduler.adapters.memory.fixed_clock import FixedClock
from scheduler.application.ports.handlers import JobContext
from scheduler.domain.ids import AttemptId, Fence, JobId
from tests.support.builders import NOW, SECOND, a_worker_id

JOB_ID = JobId(UUID("7f3f0a52-5f0c-4b8e-9a52-2f9d1f6f3c11"))


def networks(*texts: str) -> Sequence[IpNetwork]:
    return [ip_network(text) for text in texts]


def a_context(*, attempt: int = 1, fence: int = 1) -> JobContext:
    return JobContext(
        attempt_id=AttemptId(job_id=JOB_ID, fence=Fence(fence)),
        job_type="http_call",
        attempt=attempt,
        max_attempts=3,
        worker_id=a_worker_id(),
        deadline=NOW + SECOND,
    )


async def call(client: HttpClient, url: str, **fields: object) -> dict[str, object]:
    """Make a call and return its result."""
    handler = HttpCallHandler(client=client, clock=FixedClock())
    result = await handler.run(json.dumps({"url": url, **fields}), a_context())
    assert result is not None
    read: dict[str, object] = json.loads(result)
    return read
