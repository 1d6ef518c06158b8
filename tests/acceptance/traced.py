"""Processes of the scheduler that send spans, and jobs for them."""

import asyncio

from scheduler.client import JobState, SchedulerClient, Submission
from scheduler.entrypoints.children import Child
from tests.acceptance.processes import sibling

SOON_MS = 100


def traced(child: Child, endpoint: str, *options: str, send_after_ms: int = SOON_MS, **environment: int) -> Child:
    """Make another process of the same kind, which sends its spans to the endpoint."""
    return sibling(
        child,
        f"{child.name}-traced",
        *options,
        OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
        OTEL_BSP_SCHEDULE_DELAY=send_after_ms,
        **environment,
    )


def run_to_its_end(client: SchedulerClient, submission: Submission) -> tuple[str, JobState]:
    """Submit a job and wait for its final state."""

    async def scenario() -> tuple[str, JobState]:
        async with client:
            job_id = (await client.submit(submission)).job_id
            last = [event async for event in client.watch(job_id)][-1]
            return job_id, last.state

    return asyncio.run(scenario())
