"""How the queue is kept true to the store."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from scheduler.application.dto import QueueEntry
from scheduler.domain.ids import JobId
from scheduler.domain.priority import Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannedPage:
    """One page of a scan over all queues.

    `junk` counts members and keys that can be no entry (not a UUID, wrong type) and were removed by the scan itself.
    """

    entries: Sequence[tuple[Priority, JobId]]
    junk: int
    next: str | None
    """Opaque; None when the scan has seen everything and begins anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDepths:
    """Entries per queue, and those handed out and not started."""

    queues: Mapping[Priority, int]
    processing: int


class QueueMaintenance(Protocol):
    """The reaper's side of the queue. Raises QueueUnavailableError."""

    @abstractmethod
    async def overdue(self, limit: int) -> Sequence[JobId]:
        """Return ids that were handed out and are overdue by the queue's clock."""

    @abstractmethod
    async def return_overdue(self, back: Sequence[QueueEntry], gone: Sequence[JobId]) -> int:
        """Put `back` in their places and forget `gone`, each only if it is still overdue; return how many came back."""

    @abstractmethod
    async def enqueue_missing(self, entries: Sequence[QueueEntry]) -> int:
        """Add entries that are neither in their queue nor handed out; return how many were missing."""

    @abstractmethod
    async def scan(self, cursor: str | None, count: int) -> ScannedPage:
        """Return about `count` members of the queues from the cursor on; every member that stays is seen each round."""

    @abstractmethod
    async def discard(self, entries: Sequence[tuple[Priority, JobId]]) -> int:
        """Take these members out of just that queue; return how many were there."""

    @abstractmethod
    async def depths(self) -> QueueDepths:
        """Count the entries."""


class QueueEpoch(Protocol):
    """Tells whether the queue's server lost its data since the last full rebuild. Raises QueueUnavailableError."""

    @abstractmethod
    async def current(self) -> str | None:
        """Name the server's run when a full rebuild was finished on the data that it holds now; None otherwise.

        Another name than before means another server, or the same one restarted: its data may be old.
        """

    @abstractmethod
    async def begin_rebuild(self) -> str:
        """Mark a rebuild as begun; return its token."""

    @abstractmethod
    async def finish_rebuild(self, token: str) -> bool:
        """Mark the rebuild as finished unless the data was lost meanwhile; False asks for another one."""
