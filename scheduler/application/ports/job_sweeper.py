"""What the maintenance loops and the SQL claim read: bounded pages of jobs that something should happen to."""

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from scheduler.application.dto import PurgeRule, QueueEntry, SweepCursor
from scheduler.domain.ids import JobId
from scheduler.domain.job import Job
from scheduler.domain.priority import ClaimPlan, Priority


class JobSweeper(Protocol):
    """Bounded reads over all shards, each one statement. Raises StoreUnavailableError."""

    @abstractmethod
    async def due(self, now: datetime, limit: int) -> Sequence[Job]:
        """Return up to `limit` SCHEDULED and RETRYING jobs with run_at <= now, the longest due first."""

    @abstractmethod
    async def held_by_closed_workers(self, closed_within: timedelta, limit: int) -> Sequence[Job]:
        """Return RUNNING jobs of workers that were closed in the last `closed_within` (the database's clock)."""

    @abstractmethod
    async def held_by_absent_workers(self, limit: int) -> Sequence[Job]:
        """Return RUNNING jobs whose worker is not registered, or was closed at any time."""

    @abstractmethod
    async def claimable(
        self, plan: ClaimPlan, *, types: Sequence[str], excluding: Collection[JobId] = ()
    ) -> Sequence[QueueEntry]:
        """Return the queued jobs of these types that the plan would claim, in (priority, queued_at) order.

        `excluding` are jobs that it is to pass over. Takes no lock.
        """

    @abstractmethod
    async def queued_page(
        self, after: Mapping[Priority, SweepCursor], *, queued_before: datetime, limit: int
    ) -> Sequence[QueueEntry]:
        """Return, per priority, up to `limit` QUEUED jobs in (queued_at, id) order behind its cursor."""

    @abstractmethod
    async def purge(self, rule: PurgeRule, *, now: datetime, limit: int) -> int:
        """Delete up to `limit` jobs that the rule allows to go, with labels and history; return how many."""
