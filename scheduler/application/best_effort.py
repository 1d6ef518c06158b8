"""Redis as an accelerator: what it cannot take now is harmless, for the reaper's sweep repairs it."""

from collections.abc import Awaitable, Sequence

from scheduler.application.deadline import time_limit
from scheduler.application.dto import ProgressNote, QueueEntry
from scheduler.application.errors import QueueUnavailableError
from scheduler.application.ports.event_bus import EventBus
from scheduler.application.ports.job_queue import JobQueue
from scheduler.application.ports.telemetry import FaultTelemetry
from scheduler.domain.events import AttemptRevoked, Event, JobChanged, JobProgressed
from scheduler.domain.ids import JobId
from scheduler.domain.job import Job
from scheduler.domain.state import JobState

HINT_SECONDS = 0.5
"""No caller waits longer than this for a mere accelerator."""


class BestEffortQueue:
    """Tells Redis of what SQL has committed. Never raises QueueUnavailableError."""

    def __init__(self, *, queue: JobQueue, bus: EventBus, faults: FaultTelemetry) -> None:
        self._queue = queue
        self._bus = bus
        self._faults = faults

    async def enqueue(self, jobs: Sequence[Job]) -> None:
        """Enqueue those of the jobs that are QUEUED."""
        entries = [entry for job in jobs if (entry := queue_entry(job)) is not None]
        if entries:
            await self._try(self._queue.enqueue_all(entries))

    async def remove(self, ids: Sequence[JobId]) -> None:
        """Take the jobs out of their queues."""
        if ids:
            await self._try(self._queue.remove_all(ids))

    async def ack(self, ids: Sequence[JobId]) -> None:
        """Forget hand-outs."""
        if ids:
            await self._try(self._queue.ack(ids))

    async def give_back(self, entries: Sequence[QueueEntry]) -> None:
        """Return hand-outs that this process cannot start."""
        if entries:
            await self._try(self._queue.give_back(entries))

    async def announce(self, jobs: Sequence[Job], revoked: Sequence[AttemptRevoked] = ()) -> None:
        """Tell watchers of new versions, and workers of attempts that lost their job."""
        changed = [
            JobChanged(job_id=job.id, version=job.version, state=job.state, attempts=job.attempts) for job in jobs
        ]
        events: list[Event] = [*changed, *revoked]
        if events:
            await self._try(self._bus.publish(events))

    async def tell_progress(self, notes: Sequence[ProgressNote]) -> None:
        """Tell watchers how far attempts are."""
        if notes:
            await self._try(self._bus.publish([_progressed(note) for note in notes]))

    async def _try(self, command: Awaitable[None]) -> None:
        try:
            with time_limit(HINT_SECONDS):
                await command
        except QueueUnavailableError as error:
            self._faults.fault("queue_command_skipped", error)


def queue_entry(job: Job) -> QueueEntry | None:
    """Return the job's place in its queue, or None when it is not QUEUED."""
    if job.state is not JobState.QUEUED or job.queued_at is None:
        return None
    return QueueEntry(job_id=job.id, priority=job.priority, queued_at=job.queued_at)


def _progressed(note: ProgressNote) -> JobProgressed:
    job_id, fence = note.attempt_id
    return JobProgressed(job_id=job_id, version=fence, progress=note.progress)
