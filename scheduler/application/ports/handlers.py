"""The code that does a job's work."""

import asyncio
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from scheduler.domain.errors import SchedulerError
from scheduler.domain.ids import AttemptId, WorkerId


@dataclass(frozen=True, slots=True, kw_only=True)
class JobContext:
    """What a handler knows of its attempt."""

    attempt_id: AttemptId
    """The job's id and the fence, which a handler can pass to its target."""
    job_type: str
    attempt: int
    """1 for the first try."""
    max_attempts: int
    worker_id: WorkerId
    deadline: datetime
    """When the attempt runs out of time."""
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the attempt must stop: the job was cancelled or its worker lost it."""


class PermanentError(SchedulerError):
    """Raised by a handler: the job is FAILED at once, no retry can help."""


class RetryLaterError(SchedulerError):
    """Raised by a handler: the attempt failed, and the next one should wait for `delay`, within max_backoff."""

    def __init__(self, message: str, delay: timedelta) -> None:
        """Keep the delay."""
        super().__init__(message)
        # A sum, for it refuses seconds as a bare number here, where the error is still the handler's own.
        self.delay = timedelta(0) + delay


class Handler(Protocol):
    """Runs one attempt. May run again for the same job: execution is at-least-once."""

    @abstractmethod
    async def run(self, payload: str | None, context: JobContext) -> str | None:
        """Do the work; `payload` and the returned result are JSON documents. Any exception is a failed attempt."""


class HandlerRegistry(Protocol):
    """The handlers that this worker has."""

    @abstractmethod
    def find(self, job_type: str) -> Handler | None:
        """Return the handler of the job type, or None."""

    @abstractmethod
    def types(self) -> Sequence[str]:
        """Return the registered job types, sorted."""
