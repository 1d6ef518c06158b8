# ruff: noqa: N802 - methods are named as on the wire
"""The service: parse, one use case, reply. What goes wrong is the interceptor's business."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from scheduler.adapters.grpc import bulk_cursor, commands, page_token, pages, views
from scheduler.adapters.grpc.fields import fields_of
from scheduler.adapters.grpc.large_requests import LargeRequests
from scheduler.adapters.grpc.mutations import Mutations
from scheduler.adapters.grpc.pb import scheduler_pb2 as pb
from scheduler.adapters.grpc.pb.scheduler_pb2_grpc import SchedulerServiceServicer
from scheduler.adapters.grpc.trace_metadata import HasMetadata, read_trace
from scheduler.application.current_trace import current_trace
from scheduler.application.ports.tracing import Tracing
from scheduler.application.use_cases.cancel_job import CancelJob
from scheduler.application.use_cases.delete_jobs import DeleteJobs
from scheduler.application.use_cases.get_job import GetJob
from scheduler.application.use_cases.get_queue_stats import GetQueueStats
from scheduler.application.use_cases.list_attempts import ListAttempts
from scheduler.application.use_cases.list_error_groups import ListErrorGroups
from scheduler.application.use_cases.list_jobs import ListJobs
from scheduler.application.use_cases.requeue_job import RequeueJob
from scheduler.application.use_cases.requeue_jobs import RequeueJobs
from scheduler.application.use_cases.submit_jobs import SubmitJobs
from scheduler.application.use_cases.watch_job import WatchJob

_DESCRIPTOR = pb.DESCRIPTOR.services_by_name["SchedulerService"]
SERVICE = _DESCRIPTOR.full_name
METHODS: Sequence[str] = tuple(_DESCRIPTOR.methods_by_name)


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCases:
    """All that the service can do."""

    submit_jobs: SubmitJobs
    get_job: GetJob
    watch_job: WatchJob
    cancel_job: CancelJob
    list_jobs: ListJobs
    requeue_job: RequeueJob
    list_attempts: ListAttempts
    get_queue_stats: GetQueueStats
    requeue_jobs: RequeueJobs
    delete_jobs: DeleteJobs
    list_error_groups: ListErrorGroups


class SchedulerServicer(SchedulerServiceServicer):
    """Serves scheduler.v1. SubmitJobs itself outlives a client that goes away; other mutations are shielded."""

    def __init__(self, use_cases: UseCases, mutations: Mutations, tracing: Tracing, large: LargeRequests) -> None:
        self._use_cases = use_cases
        self._large = large
        self._mutations = mutations
        self._tracing = tracing

    async def SubmitJob(self, request: pb.SubmitJobRequest, context: HasMetadata) -> pb.SubmitJobResponse:
        """Store one job."""
        with self._use_cases.submit_jobs.failures_counted():
            steps = commands.single_submit(request, read_trace(context) or current_trace())
            (command,) = await self._large.run(len(request.job.payload_json), steps)
        (outcome,) = await self._use_cases.submit_jobs.execute([command])
        self._tracing.submitted(outcome.job_id, command.submission)
        return views.submit_response(outcome)

    async def SubmitJobs(self, request: pb.SubmitJobsRequest, context: HasMetadata) -> pb.SubmitJobsResponse:
        """Store a batch."""
        with self._use_cases.submit_jobs.failures_counted():
            steps = commands.batch_submit(request, read_trace(context) or current_trace())
            batch = await self._large.run(request.ByteSize(), steps)
        return views.submit_responses(await self._use_cases.submit_jobs.execute(batch))

    async def GetJob(self, request: pb.GetJobRequest, _context: object) -> pb.JobStatus:
        """Show one job."""
        return views.job_details(await self._use_cases.get_job.execute(commands.job_id(request.job_id)))

    async def WatchJob(self, request: pb.WatchJobRequest, _context: object) -> AsyncGenerator[pb.JobEvent]:
        """Follow one job."""
        job_id, after_version = commands.job_id(request.job_id), commands.after_version(request)
        async with aclosing(self._use_cases.watch_job.execute(job_id, after_version)) as versions:
            async for job in versions:
                yield views.job_event(job)

    async def CancelJob(self, request: pb.CancelJobRequest, _context: object) -> pb.CancelJobResponse:
        """Cancel one job."""
        cancel = self._use_cases.cancel_job.execute(commands.job_id(request.job_id))
        return pb.CancelJobResponse(cancelled=await self._mutations.run(cancel))

    async def ListJobs(self, request: pb.ListJobsRequest, _context: object) -> pb.ListJobsResponse:
        """Show one page of jobs."""
        job_filter = commands.job_filter(request)
        after = page_token.decode(request.page_token, job_filter)
        page = await self._use_cases.list_jobs.execute(job_filter, page_size=request.page_size, after=after)
        return pages.list_response(page, job_filter)

    async def RequeueJob(self, request: pb.RequeueJobRequest, _context: object) -> pb.RequeueJobResponse:
        """Run an ended job again."""
        job_id = commands.job_id(request.job_id)
        (fields,) = await self._large.run(len(request.payload_json), commands.requeue(request))
        with fields_of():
            job = await self._mutations.run(self._use_cases.requeue_job.execute(job_id, **fields))
        return views.requeue_response(job)

    async def RequeueJobs(self, request: pb.RequeueJobsRequest, _context: object) -> pb.RequeueJobsResponse:
        """Run all ended jobs again that match."""
        job_filter = commands.ended_filter(request.filter)
        order = commands.bulk_order(request, job_filter)
        with fields_of("filter"):
            outcome = await self._mutations.run_until_gone(
                lambda gone: self._use_cases.requeue_jobs.execute(job_filter, order, gone)
            )
        cursor = bulk_cursor.encode(outcome.next, job_filter)
        return pb.RequeueJobsResponse(count=outcome.count, more=bool(cursor), next_cursor=cursor)

    async def PurgeJobs(self, request: pb.PurgeJobsRequest, _context: object) -> pb.PurgeJobsResponse:
        """Delete all ended jobs that match."""
        job_filter = commands.ended_filter(request.filter)
        order = commands.bulk_order(request, job_filter)
        outcome = await self._mutations.run_until_gone(
            lambda gone: self._use_cases.delete_jobs.execute(job_filter, order, gone)
        )
        cursor = bulk_cursor.encode(outcome.next, job_filter)
        return pb.PurgeJobsResponse(count=outcome.count, more=bool(cursor), next_cursor=cursor)

    async def ListErrorGroups(self, request: pb.ListErrorGroupsRequest, _context: object) -> pb.ListErrorGroupsResponse:
        """Show what jobs fail of."""
        groups = await self._use_cases.list_error_groups.execute(**commands.error_groups(request))
        return views.error_groups_response(groups)

    async def ListAttempts(self, request: pb.ListAttemptsRequest, _context: object) -> pb.ListAttemptsResponse:
        """Show one job's history."""
        return views.attempts_response(await self._use_cases.list_attempts.execute(commands.job_id(request.job_id)))

    async def GetQueueStats(self, _request: pb.GetQueueStatsRequest, _context: object) -> pb.GetQueueStatsResponse:
        """Show how full the queues are."""
        return views.queue_stats_response(*await self._use_cases.get_queue_stats.execute())
