"""What whoever submits jobs needs: `from scheduler.client import SchedulerClient, Submission`."""

from scheduler.adapters.grpc.client import Patience, SchedulerClient
from scheduler.adapters.grpc.client_errors import ClientError
from scheduler.adapters.grpc.client_views import AttemptView, EventView, JobView, SubmittedJob
from scheduler.application.dto import JobFilter
from scheduler.application.use_cases.submit_jobs import SubmitCommand
from scheduler.domain.priority import Priority
from scheduler.domain.retry import RetryPolicy
from scheduler.domain.state import JobState
from scheduler.domain.submission import Submission

__all__ = [
    "AttemptView",
    "ClientError",
    "EventView",
    "JobFilter",
    "JobState",
    "JobView",
    "Patience",
    "Priority",
    "RetryPolicy",
    "SchedulerClient",
    "Submission",
    "SubmitCommand",
    "SubmittedJob",
]
