"""One page of a list as an answer that any client can receive."""

from collections.abc import Iterator, Sequence

from scheduler.adapters.grpc import page_token, views
from scheduler.adapters.grpc.pb import scheduler_pb2 as pb
from scheduler.application.dto import JobFilter, JobPage, ListCursor
from scheduler.domain.job import Job

MAX_PAGE_BYTES = 3 * 1024 * 1024
"""Clients refuse messages of more than 4 MiB unless told otherwise."""
_FIELD_BYTES = 6
"""Tag and length before each job."""


def list_response(page: JobPage, job_filter: JobFilter) -> pb.ListJobsResponse:
    """Show the page, cut short where large labels and errors would make it too large."""
    statuses = list(_that_fit(page.jobs))
    following = page.next
    if len(statuses) < len(page.jobs):
        last = page.jobs[len(statuses) - 1]
        following = ListCursor(created_at=last.created_at, job_id=last.id)
    return pb.ListJobsResponse(jobs=statuses, next_page_token=page_token.encode(following, job_filter))


def _that_fit(jobs: Sequence[Job]) -> Iterator[pb.JobStatus]:
    size = 0
    for job in jobs:
        status = views.job_status(job)
        size += status.ByteSize() + _FIELD_BYTES
        if size > MAX_PAGE_BYTES:
            return
        yield status
