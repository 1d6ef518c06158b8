"""A client in the scheduler's own process, without any network between."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from uuid import UUID

from scheduler.adapters.grpc import bulk_cursor, client_mapping, views
from scheduler.adapters.grpc.client_views import (
    AttemptView,
    BulkResult,
    ErrorGroupsView,
    EventView,
    JobView,
    RequeuedJob,
    SubmittedJob,
)
from scheduler.application.dead_letters import BulkOrder, EndedFilter
from scheduler.application.dto import JobFilter
from scheduler.application.use_cases.submit_jobs import SubmitCommand
from scheduler.domain.ids import JobId
from scheduler.domain.submission import Submission
from scheduler.entrypoints.container import Container
from tests.acceptance.driver import Client

CALL_SECONDS = 0.001
"""What a call takes, so that no two happen at the same time."""


class MemoryClient(Client):
    """Calls the use cases, and shows what they return as a client over the wire would see it."""

    def __init__(self, container: Container) -> None:
        self._container = container

    async def submit(self, submission: Submission, *, job_id: JobId | None = None) -> SubmittedJob:
        (job,) = await self.submit_many([SubmitCommand(submission=submission, job_id=job_id)])
        return job

    async def submit_many(self, commands: Sequence[SubmitCommand]) -> Sequence[SubmittedJob]:
        await asyncio.sleep(CALL_SECONDS)
        outcomes = await self._container.submit_jobs().execute(commands)
        return [SubmittedJob(job_id=str(outcome.job_id), created=outcome.created) for outcome in outcomes]

    async def get(self, job_id: str) -> JobView:
        details = await self._container.get_job().execute(_id(job_id))
        return client_mapping.job_view(views.job_details(details))

    async def cancel(self, job_id: str) -> bool:
        await asyncio.sleep(CALL_SECONDS)
        return await self._container.cancel_job().execute(_id(job_id))

    async def requeue(self, job_id: str, *, payload: str = "", expected_version: int = 0) -> RequeuedJob:
        await asyncio.sleep(CALL_SECONDS)
        requeue = self._container.requeue_job()
        job = await requeue.execute(_id(job_id), payload=payload or None, expected_version=expected_version)
        return RequeuedJob(version=job.version, state=job.state)

    async def requeue_jobs(
        self, job_filter: EndedFilter, *, limit: int = 0, rate: int = 0, dry_run: bool = False, cursor: str = ""
    ) -> BulkResult:
        await asyncio.sleep(CALL_SECONDS)
        order = BulkOrder(limit=limit, rate=rate, dry_run=dry_run, cursor=bulk_cursor.decode(cursor, job_filter))
        outcome = await self._container.requeue_jobs().execute(job_filter, order, asyncio.Event())
        return BulkResult(count=outcome.count, cursor=bulk_cursor.encode(outcome.next, job_filter))

    async def purge_jobs(
        self, job_filter: EndedFilter, *, limit: int = 0, dry_run: bool = False, cursor: str = ""
    ) -> BulkResult:
        await asyncio.sleep(CALL_SECONDS)
        order = BulkOrder(limit=limit, dry_run=dry_run, cursor=bulk_cursor.decode(cursor, job_filter))
        outcome = await self._container.delete_jobs().execute(job_filter, order, asyncio.Event())
        return BulkResult(count=outcome.count, cursor=bulk_cursor.encode(outcome.next, job_filter))

    async def error_groups(self, *, fingerprint: str = "", job_type: str = "", limit: int = 0) -> ErrorGroupsView:
        groups = self._container.list_error_groups()
        found = await groups.execute(fingerprint=fingerprint or None, job_type=job_type or None, limit=limit)
        return client_mapping.error_groups(views.error_groups_response(found))

    async def attempts(self, job_id: str) -> Sequence[AttemptView]:
        attempts = await self._container.list_attempts().execute(_id(job_id))
        return [client_mapping.attempt_view(attempt) for attempt in views.attempts_response(attempts).attempts]

    async def list(self, job_filter: JobFilter | None = None, *, page_size: int = 0) -> AsyncGenerator[JobView]:
        after = None
        while True:
            list_jobs = self._container.list_jobs()
            page = await list_jobs.execute(job_filter or JobFilter(), page_size=page_size, after=after)
            for job in page.jobs:
                yield client_mapping.job_view(views.job_status(job))
            after = page.next
            if after is None:
                return

    async def watch(self, job_id: str, *, after_version: int = 0) -> AsyncGenerator[EventView]:
        async with aclosing(self._container.watch_job().execute(_id(job_id), after_version or None)) as jobs:
            async for job in jobs:
                yield client_mapping.event_view(views.job_event(job))


def _id(text: str) -> JobId:
    return JobId(UUID(text))
