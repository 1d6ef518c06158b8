"""Guards of the queue and of those who watch it, taken out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from unittest.mock import patch

from scheduler.adapters.memory.ended_jobs import MemoryEndedJobs
from scheduler.adapters.memory.job_queue import MemoryJobQueue
from scheduler.adapters.memory.queue_maintenance import MemoryQueueMaintenance
from scheduler.application.dto import QueueEntry
from scheduler.application.ports.event_bus import Subscription
from scheduler.application.use_cases import reconcile_queue
from scheduler.application.use_cases.reconcile_queue import ReconcileQueue
from scheduler.application.watch_hub import WatchHub
from scheduler.domain.events import WorkArrived
from scheduler.domain.ids import JobId
from scheduler.domain.job import Job


def _without_overdue_check() -> Iterator[None]:
    """Let a reaper take back hand-outs that were taken back, and handed out again, since it looked."""

    async def return_all(self: MemoryQueueMaintenance, back: Sequence[QueueEntry], gone: Sequence[JobId]) -> int:
        async with self._state.command() as data:
            data.forget([*(entry.job_id for entry in back), *gone])
            for entry in back:
                data.enqueue(entry)
        await self._wake(len(back))
        return len(back)

    with patch.object(MemoryQueueMaintenance, "return_overdue", return_all):
        yield


def _without_handed_out_check() -> Iterator[None]:
    """Let the sweep add what is handed out, as if it were missing."""

    async def add_all(self: MemoryQueueMaintenance, entries: Sequence[QueueEntry]) -> int:
        async with self._state.command() as data:
            added = sum(data.enqueue(entry) for entry in entries)
        await self._wake(added)
        return added

    with patch.object(MemoryQueueMaintenance, "enqueue_missing", add_all):
        yield


def _without_hand_out_check() -> Iterator[None]:
    """Let a worker give back what was taken from it meanwhile."""

    async def give_back(self: MemoryJobQueue, entries: Sequence[QueueEntry]) -> None:
        async with self._state.command() as data:
            for entry in entries:
                data.processing.remove(entry.job_id)
                data.enqueue(entry)
        await self._bus.publish([WorkArrived()])

    with patch.object(MemoryJobQueue, "give_back", give_back):
        yield


def _without_rebuild() -> Iterator[None]:
    """Leave a queue that lost its data to the slow sweep."""

    async def nothing(self: ReconcileQueue) -> None:
        """Do nothing."""

    with patch.object(ReconcileQueue, "_rebuild", nothing):
        yield


def _without_settling() -> Iterator[None]:
    """Let the sweep count jobs as missing that their submitter is about to enqueue."""
    with patch.object(reconcile_queue, "SETTLED_AFTER", timedelta(0)):
        yield


def _without_watch_subscriptions() -> Iterator[None]:
    """Let streams wait for the poll."""

    async def nothing(self: WatchHub, subscription: Subscription | None) -> None:
        """Do nothing."""

    with patch.object(WatchHub, "_follow_subscription", nothing):
        yield


def _without_purge_check() -> Iterator[None]:
    """Delete what was found, whatever it has become since."""

    async def delete(self: MemoryEndedJobs, jobs: Sequence[Job]) -> int:
        async with self._store.statement() as data:
            doomed = [job.id for job in jobs if job.id in data.jobs]
            for job_id in doomed:
                data.delete(job_id)
        return len(doomed)

    with patch.object(MemoryEndedJobs, "delete", delete):
        yield


QUEUE_SABOTAGES: Mapping[str, Callable[[], Iterator[None]]] = MappingProxyType(
    {
        "overdue": _without_overdue_check,
        "handed-out": _without_handed_out_check,
        "hand-out": _without_hand_out_check,
        "rebuild": _without_rebuild,
        "settling": _without_settling,
        "watch-subscriptions": _without_watch_subscriptions,
        "purge-check": _without_purge_check,
    }
)
