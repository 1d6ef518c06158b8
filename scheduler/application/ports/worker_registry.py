"""The worker processes and their leases, judged by the database's clock alone."""

from abc import abstractmethod
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from scheduler.application.dto import WorkerInfo
from scheduler.domain.ids import AttemptId, WorkerId


class WorkerRegistry(Protocol):
    """Leases of worker processes. Raises StoreUnavailableError."""

    @abstractmethod
    async def register(self, worker: WorkerInfo, lease: timedelta) -> None:
        """Open the worker with a fresh lease; a repeat with the same id renews it."""

    @abstractmethod
    async def renew(self, worker_id: WorkerId, lease: timedelta) -> bool:
        """Extend the lease from the database's now; False when the worker is closed or unknown: it holds nothing."""

    @abstractmethod
    async def held_attempts(self, worker_id: WorkerId) -> frozenset[AttemptId]:
        """Return the attempts that are RUNNING under this worker."""

    @abstractmethod
    async def close(self, worker_id: WorkerId) -> None:
        """Close the worker at the database's now; closing twice keeps the first time."""

    @abstractmethod
    async def close_expired(self, expired_by: datetime) -> Sequence[WorkerId]:
        """Close every open worker whose lease has expired, and had by `expired_by`; return those that this call closed.

        `expired_by` is a reading of the database's clock: an outage or a jump of that clock after it closes nobody.
        """

    @abstractmethod
    async def count_open(self) -> int:
        """Count workers that are open and whose lease has not expired."""

    @abstractmethod
    async def count_expired(self) -> int:
        """Count open workers whose lease has expired, and closed ones under which jobs are still RUNNING.

        A reaper is to close the former and to recover what the latter held.
        """

    @abstractmethod
    async def forget_closed(self, closed_before: timedelta) -> int:
        """Delete workers closed longer ago than that and holding no RUNNING job; return how many."""
