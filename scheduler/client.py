"""What whoever submits jobs needs: `from scheduler.client import SchedulerClient, Submission`."""

import random
from collections.abc import Callable

from scheduler.adapters.grpc.client import Patience
from scheduler.adapters.grpc.client import SchedulerClient as GrpcClient
from scheduler.adapters.grpc.client_errors import ClientError
from scheduler.adapters.grpc.client_views import AttemptView, EventView, JobView, SubmittedJob
from scheduler.adapters.opentelemetry.caller import caller_trace
from scheduler.application.dto import JobFilter
from scheduler.application.use_cases.submit_jobs import SubmitCommand
from scheduler.domain.priority import Priority
from scheduler.domain.retry import RetryPolicy
from scheduler.domain.state import JobState
from scheduler.domain.submission import Submission
from scheduler.domain.trace import TraceContext

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


class SchedulerClient(GrpcClient):
    """Calls the service at `address` (host:port). Every method raises ClientError.

    A call whose server is away is repeated; submits carry ids drawn here, so that a repeat creates no second job, and
    the trace in which they are made: that of the current OpenTelemetry span, or of the job whose handler submits.
    """

    def __init__(
        self,
        address: str,
        *,
        patience: Patience | None = None,
        draw: Callable[[], float] = random.random,
        trace: Callable[[], TraceContext | None] = caller_trace,
    ) -> None:
        super().__init__(address, patience=patience, draw=draw, trace=trace)
