"""Keep the queue true to the store."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from scheduler.application.dto import QueueEntry, SweepCursor
from scheduler.application.ports.clock import Clock
from scheduler.application.ports.job_repository import JobRepository
from scheduler.application.ports.job_sweeper import JobSweeper
from scheduler.application.ports.queue_maintenance import QueueEpoch, QueueMaintenance
from scheduler.application.ports.telemetry import ReaperTelemetry
from scheduler.domain.ids import JobId
from scheduler.domain.job import Job
from scheduler.domain.priority import Priority
from scheduler.domain.state import JobState

PAGE = 2000
SETTLED_AFTER = timedelta(seconds=5)
"""Younger jobs may be on their way to the queue: their submitter enqueues them itself."""
MUCH_MISSING = 4
"""A round that finds one in so many entries of a page missing is followed by the next one without a pause."""
_GREATEST_ID = JobId(UUID(int=2**128 - 1))


class ReconcileQueue:
    """One endless sweep both ways. It keeps no watermark, for jobs are not committed in the order of their times."""

    def __init__(
        self,
        *,
        repository: JobRepository,
        sweeper: JobSweeper,
        maintenance: QueueMaintenance,
        epoch: QueueEpoch,
        clock: Clock,
        telemetry: ReaperTelemetry,
    ) -> None:
        self._repository = repository
        self._sweeper = sweeper
        self._maintenance = maintenance
        self._epoch = epoch
        self._clock = clock
        self._telemetry = telemetry
        self._cursors: dict[Priority, SweepCursor] = {}
        self._scan_cursor: str | None = None
        self._run: str | None = None

    async def execute(self) -> bool:
        """Do one round; return whether so much was missing that the next one should follow at once.

        A queue that was evicted or deleted leaves no other trace than that. Where the server lost all of its data, or
        another server answers than in the last round, one full unpaced round comes first.
        """
        run = await self._epoch.current()
        if run is None or self._run not in {None, run}:
            # Another run than before: a primary that was demoted may return with old data.
            await self._rebuild()
            run = await self._epoch.current()
        self._run = run
        settled = self._clock.now() - SETTLED_AFTER
        self._cursors, added = await self._add_missing(self._cursors, queued_before=settled)
        if added * MUCH_MISSING >= PAGE:
            return True
        await self._remove_ghosts()
        return False

    async def _rebuild(self) -> None:
        token = await self._epoch.begin_rebuild()
        begun = self._clock.now()
        cursors: dict[Priority, SweepCursor] = {}
        while True:
            cursors, _ = await self._add_missing(cursors, queued_before=begun)
            if not cursors:
                break
            # A priority that is through must not begin anew while others go on: the round would not end.
            cursors = {priority: cursors.get(priority, _end(begun)) for priority in Priority}
        if await self._epoch.finish_rebuild(token):
            self._telemetry.queue_repaired("rebuild", 1)

    async def _add_missing(
        self, after: dict[Priority, SweepCursor], *, queued_before: datetime
    ) -> tuple[dict[Priority, SweepCursor], int]:
        """Check one page per priority; return where each goes on that has more, and how many entries were missing."""
        page = await self._sweeper.queued_page(after, queued_before=queued_before, limit=PAGE)
        added = await self._maintenance.enqueue_missing(page) if page else 0
        self._telemetry.queue_repaired("missing", added)
        return _next_cursors(page), added

    async def _remove_ghosts(self) -> None:
        page = await self._maintenance.scan(self._scan_cursor, PAGE)
        self._scan_cursor = page.next
        self._telemetry.queue_repaired("junk", page.junk)
        if page.entries:
            ids = [job_id for _, job_id in page.entries]
            ghosts = _ghosts(page.entries, await self._repository.load(ids))
            self._telemetry.queue_repaired("ghost", await self._maintenance.discard(ghosts))


def _end(at: datetime) -> SweepCursor:
    return SweepCursor(queued_at=at, job_id=_GREATEST_ID)


def _next_cursors(page: Sequence[QueueEntry]) -> dict[Priority, SweepCursor]:
    cursors = {}
    for priority in Priority:
        entries = [entry for entry in page if entry.priority is priority]
        if len(entries) == PAGE:
            cursors[priority] = SweepCursor(queued_at=entries[-1].queued_at, job_id=entries[-1].job_id)
    return cursors


def _ghosts(entries: Sequence[tuple[Priority, JobId]], jobs: Mapping[JobId, Job]) -> list[tuple[Priority, JobId]]:
    return [(priority, job_id) for priority, job_id in entries if not _belongs(jobs.get(job_id), priority)]


def _belongs(job: Job | None, priority: Priority) -> bool:
    return job is not None and job.state is JobState.QUEUED and job.priority is priority
