"""What the scenarios need of a scheduler, wherever it runs."""

import asyncio
from abc import abstractmethod
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from scheduler.adapters.grpc.client_views import (
    AttemptView,
    BulkResult,
    ErrorGroupsView,
    EventView,
    JobView,
    RequeuedJob,
    SubmittedJob,
)
from scheduler.application.dead_letters import EndedFilter
from scheduler.application.dto import JobFilter
from scheduler.application.use_cases.submit_jobs import SubmitCommand
from scheduler.domain.ids import JobId
from scheduler.domain.submission import Submission


class Client(Protocol):
    """What a client can do; every method raises SchedulerError. SchedulerClient is one."""

    @abstractmethod
    async def submit(self, submission: Submission, *, job_id: JobId | None = None) -> SubmittedJob: ...

    @abstractmethod
    async def submit_many(self, commands: Sequence[SubmitCommand]) -> Sequence[SubmittedJob]: ...

    @abstractmethod
    async def get(self, job_id: str) -> JobView: ...

    @abstractmethod
    async def cancel(self, job_id: str) -> bool: ...

    @abstractmethod
    async def requeue(self, job_id: str, *, payload: str = "", expected_version: int = 0) -> RequeuedJob: ...

    @abstractmethod
    async def requeue_jobs(
        self, job_filter: EndedFilter, *, limit: int = 0, rate: int = 0, dry_run: bool = False, cursor: str = ""
    ) -> BulkResult: ...

    @abstractmethod
    async def purge_jobs(
        self, job_filter: EndedFilter, *, limit: int = 0, dry_run: bool = False, cursor: str = ""
    ) -> BulkResult: ...

    @abstractmethod
    async def error_groups(self, *, fingerprint: str = "", job_type: str = "", limit: int = 0) -> ErrorGroupsView: ...

    @abstractmethod
    async def attempts(self, job_id: str) -> Sequence[AttemptView]: ...

    @abstractmethod
    def list(self, job_filter: JobFilter | None = None, *, page_size: int = 0) -> AsyncGenerator[JobView]: ...

    @abstractmethod
    def watch(self, job_id: str, *, after_version: int = 0) -> AsyncGenerator[EventView]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerTerms:
    """How a worker works."""

    places: int = 10
    weighted: bool = False


class Workers(Protocol):
    """What an operator, or fate, can do to workers, each a process of its own under a name."""

    @abstractmethod
    async def keep_one(self) -> None:
        """Have one worker with ten places at work, unless it is already."""

    @abstractmethod
    async def start(self, name: str, terms: WorkerTerms) -> None: ...

    @abstractmethod
    async def stop_all(self) -> None:
        """Stop every worker in peace."""

    @abstractmethod
    async def stop(self, name: str) -> None:
        """Stop in peace: what runs may end for a short while, what is left is given back."""

    @abstractmethod
    async def crash(self, name: str) -> None:
        """End it from one instant to the next."""

    @abstractmethod
    async def cut_off(self, name: str) -> None:
        """Let it reach nobody, and nobody reach it."""

    @abstractmethod
    async def reconnect(self, name: str) -> None:
        """End the cut."""

    @abstractmethod
    async def take_and_vanish(self, count: int) -> int:
        """Be a worker that takes jobs out of the queue and is gone before it starts them; return how many it took."""


class Driver(Protocol):
    """A scheduler of which each scenario sees only its own jobs, and whose workers it has to itself."""

    client: Client
    workers: Workers
    slack: timedelta
    """How much later than it should something may happen."""
    clocks: timedelta
    """How far the clocks of two processes may differ."""

    @abstractmethod
    def now(self) -> datetime:
        """Return the scheduler's time."""

    @abstractmethod
    def new_loop(self) -> asyncio.AbstractEventLoop:
        """Make the event loop in which everything else is called."""

    @abstractmethod
    async def open(self) -> None: ...

    @abstractmethod
    async def close(self) -> None: ...
