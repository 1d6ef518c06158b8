"""A client that survives restarts of the servers behind its address."""

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self
from uuid import uuid4

import grpc.aio

from scheduler.adapters.grpc import client_mapping as mapping
from scheduler.adapters.grpc.client_errors import ClientError, client_errors
from scheduler.adapters.grpc.client_views import (
    AttemptView,
    BulkResult,
    ErrorGroupsView,
    EventView,
    JobView,
    QueueStatsView,
    RequeuedJob,
    SubmittedJob,
)
from scheduler.adapters.grpc.pb import scheduler_pb2 as pb
from scheduler.adapters.grpc.pb.scheduler_pb2_grpc import SchedulerServiceStub
from scheduler.adapters.grpc.servicer import SERVICE
from scheduler.adapters.grpc.trace_metadata import write_trace
from scheduler.application.current_trace import current_trace
from scheduler.application.dead_letters import EndedFilter
from scheduler.application.dto import JobFilter
from scheduler.application.use_cases.submit_jobs import SubmitCommand
from scheduler.domain.ids import JobId
from scheduler.domain.submission import Submission
from scheduler.domain.trace import TraceContext

_GONE = frozenset({"UNAVAILABLE", "CANCELLED"})
"""Statuses of a call whose server went away. A stopping server may say CANCELLED; our own cancels never get here."""
MAX_MESSAGE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a call may take, retries included, and how often a broken watch is resumed without any news.

    Times are seconds. A call is tried 2 to 5 times. Between two tries lie at least `first_pause` or so, growing up to
    `longest_pause`.
    """

    seconds: float = 15.0
    tries: int = 5
    resumes: int = 20
    first_pause: float = 0.2
    longest_pause: float = 3.0

    def pause(self, failures: int, draw: float) -> float:
        """Return the wait after so many failures in a row; `draw` in [0, 1) takes off up to half of it."""
        return min(self.longest_pause, self.first_pause * 2.0 ** (failures - 1)) * (1 - draw / 2)


def _service_config(patience: Patience) -> str:
    # gRPC spreads each wait at random by itself.
    retry = {
        "maxAttempts": patience.tries,
        "initialBackoff": f"{patience.first_pause}s",
        "maxBackoff": f"{patience.longest_pause}s",
        "backoffMultiplier": 3,
        "retryableStatusCodes": sorted(_GONE),
    }
    calls = {"name": [{"service": SERVICE}], "retryPolicy": retry}
    # A watch is resumed by `watch` itself: without a policy of its own it would be retried by both.
    watch = {"name": [{"service": SERVICE, "method": "WatchJob"}]}
    return json.dumps({"loadBalancingConfig": [{"round_robin": {}}], "methodConfig": [calls, watch]})


def _channel_options(patience: Patience) -> Sequence[tuple[str, str | int]]:
    return (
        ("grpc.service_config", _service_config(patience)),
        # A request that is larger than this buffer is never retried; by default that is 256 KiB.
        ("grpc.per_rpc_retry_buffer_size", MAX_MESSAGE_BYTES),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        # By default a lost server is looked for after 1 s first, and after 2 min at last.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 1_000),
        ("grpc.max_reconnect_backoff_ms", 2_000),
        # Notice when the server of a silent watch has vanished.
        ("grpc.keepalive_time_ms", 20_000),
        ("grpc.keepalive_timeout_ms", 10_000),
    )


class SchedulerClient:
    """Calls the service at `address` (host:port). Every method raises ClientError.

    A call whose server is away is repeated; submits carry ids drawn here, so that a repeat creates no second job, and
    the trace in which they are made.
    """

    def __init__(
        self,
        address: str,
        *,
        patience: Patience | None = None,
        draw: Callable[[], float] = random.random,
        trace: Callable[[], TraceContext | None] = current_trace,
    ) -> None:
        self._address = address
        self._patience = patience or Patience()
        self._draw = draw
        self._trace = trace
        self._channel: grpc.aio.Channel | None = None
        self._open_stub: SchedulerServiceStub | None = None

    async def __aenter__(self) -> Self:
        """Open the channel; connections are made by the first call."""
        self._channel = grpc.aio.insecure_channel(self._address, options=_channel_options(self._patience))
        self._open_stub = SchedulerServiceStub(self._channel)
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Close the channel."""
        if self._channel is not None:
            await self._channel.close()

    async def submit(self, submission: Submission, *, job_id: JobId | None = None) -> SubmittedJob:
        """Store one job, under an id of the caller's choice or of ours."""
        command = SubmitCommand(submission=submission, job_id=job_id or JobId(uuid4()))
        request = pb.SubmitJobRequest(job=mapping.job_message(command))
        with client_errors():
            response = await self._stub.SubmitJob(
                request, timeout=self._patience.seconds, metadata=write_trace(self._trace())
            )
        return _as_created(response, ours=None if job_id else command.job_id)

    async def submit_many(self, commands: Sequence[SubmitCommand]) -> Sequence[SubmittedJob]:
        """Store all jobs or none, at most 1,000."""
        named = [replace(command, job_id=command.job_id or JobId(uuid4())) for command in commands]
        request = pb.SubmitJobsRequest(jobs=map(mapping.job_message, named))
        with client_errors():
            response = await self._stub.SubmitJobs(
                request, timeout=self._patience.seconds, metadata=write_trace(self._trace())
            )
        drawn = [None if command.job_id else name.job_id for command, name in zip(commands, named, strict=True)]
        return [_as_created(result, ours=ours) for result, ours in zip(response.results, drawn, strict=True)]

    async def get(self, job_id: str) -> JobView:
        """Read one job, with its payload and result."""
        with client_errors():
            request = pb.GetJobRequest(job_id=job_id)
            return mapping.job_view(await self._stub.GetJob(request, timeout=self._patience.seconds))

    async def cancel(self, job_id: str) -> bool:
        """Cancel a job; tell whether it is CANCELLED now."""
        request = pb.CancelJobRequest(job_id=job_id)
        with client_errors():
            return (await self._stub.CancelJob(request, timeout=self._patience.seconds)).cancelled

    async def requeue(self, job_id: str, *, payload: str = "", expected_version: int = 0) -> RequeuedJob:
        """Run an ended job again; an empty payload keeps the stored one, a version of 0 means any."""
        request = pb.RequeueJobRequest(job_id=job_id, payload_json=payload, expected_version=expected_version)
        with client_errors():
            return mapping.requeued_job(await self._stub.RequeueJob(request, timeout=self._patience.seconds))

    async def requeue_jobs(
        self, job_filter: EndedFilter, *, limit: int = 0, rate: int = 0, dry_run: bool = False, cursor: str = ""
    ) -> BulkResult:
        """Run all ended jobs again that match, as far as one call gets; the result's cursor leads on."""
        request = pb.RequeueJobsRequest(
            filter=mapping.ended_filter(job_filter), limit=limit, rate=rate, dry_run=dry_run, cursor=cursor
        )
        with client_errors():
            return mapping.bulk_result(await self._stub.RequeueJobs(request, timeout=self._patience.seconds))

    async def purge_jobs(
        self, job_filter: EndedFilter, *, limit: int = 0, dry_run: bool = False, cursor: str = ""
    ) -> BulkResult:
        """Delete all ended jobs that match, as far as one call gets; the result's cursor leads on."""
        request = pb.PurgeJobsRequest(
            filter=mapping.ended_filter(job_filter), limit=limit, dry_run=dry_run, cursor=cursor
        )
        with client_errors():
            return mapping.bulk_result(await self._stub.PurgeJobs(request, timeout=self._patience.seconds))

    async def error_groups(self, *, fingerprint: str = "", job_type: str = "", limit: int = 0) -> ErrorGroupsView:
        """Read what jobs fail of, the kind of error that was seen last first."""
        request = pb.ListErrorGroupsRequest(error_fingerprint=fingerprint, type_filter=job_type, limit=limit)
        with client_errors():
            return mapping.error_groups(await self._stub.ListErrorGroups(request, timeout=self._patience.seconds))

    async def attempts(self, job_id: str) -> Sequence[AttemptView]:
        """Read a job's history, oldest first."""
        request = pb.ListAttemptsRequest(job_id=job_id)
        with client_errors():
            response = await self._stub.ListAttempts(request, timeout=self._patience.seconds)
        return [mapping.attempt_view(attempt) for attempt in response.attempts]

    async def queue_stats(self) -> QueueStatsView:
        """Read how full the queues are."""
        with client_errors():
            response = await self._stub.GetQueueStats(pb.GetQueueStatsRequest(), timeout=self._patience.seconds)
        return mapping.queue_stats_view(response)

    async def list(self, job_filter: JobFilter | None = None, *, page_size: int = 0) -> AsyncGenerator[JobView]:
        """Yield all matching jobs, newest first, read page by page as they are asked for."""
        token = ""
        while True:
            request = mapping.list_request(job_filter or JobFilter(), page_size=page_size, page_token=token)
            with client_errors():
                page = await self._stub.ListJobs(request, timeout=self._patience.seconds)
            for status in page.jobs:
                yield mapping.job_view(status)
            token = page.next_page_token
            if not token:
                return

    async def watch(self, job_id: str, *, after_version: int = 0) -> AsyncGenerator[EventView]:
        """Yield a job's changes and progress up to its final state, across restarts of servers, each once."""
        failures, last = 0, None
        while True:
            try:
                async with aclosing(self._watch_once(job_id, after_version)) as events:
                    async for event in events:
                        after_version, failures = event.version, 0
                        if event != last:  # a resumed watch begins with the progress that is known
                            last = event
                            yield event
            except ClientError as error:
                failures += 1
                if error.status not in _GONE or failures > self._patience.resumes:
                    raise
                await asyncio.sleep(self._patience.pause(failures, self._draw()))
            else:
                return

    async def _watch_once(self, job_id: str, after_version: int) -> AsyncGenerator[EventView]:
        call = self._stub.WatchJob(pb.WatchJobRequest(job_id=job_id, after_version=after_version))
        try:
            with client_errors():
                async for event in call:
                    yield mapping.event_view(event)
        finally:
            call.cancel()

    @property
    def _stub(self) -> SchedulerServiceStub:
        if self._open_stub is None:
            raise ClientError("FAILED_PRECONDITION", "the client is used outside of its async with block")
        return self._open_stub


def _as_created(response: pb.SubmitJobResponse, *, ours: JobId | None) -> SubmittedJob:
    """Read an answer; a job under an id drawn here can only have been created by an earlier attempt of this call."""
    job = mapping.submitted_job(response)
    return replace(job, created=job.created or job.job_id == str(ours))
