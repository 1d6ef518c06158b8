"""Change many ended jobs: in small batches, at a pace, within the caller's time, and going on where it stopped."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from scheduler.application.dead_letters import BulkCursor, BulkOrder, BulkOutcome, EndedCursor, EndedFilter, FoundJob
from scheduler.application.deadline import remaining_seconds
from scheduler.application.errors import StoreUnavailableError
from scheduler.application.loops import wait_until
from scheduler.application.ports.clock import Clock
from scheduler.application.ports.ended_jobs import EndedJobs

BATCH = 500
MAX_JOBS = 100_000
"""What one call changes or counts at most."""
RESERVE_SECONDS = 2.0
"""Left for the last batch, its pause and the reply; at most half of what the caller gave."""

Act = Callable[[Sequence[FoundJob]], Awaitable[int]]
"""Changes a batch, and returns how many of it were as they had been found."""


class BulkChanges:
    """Walks over the ended jobs that match. Those that end after the walk has begun are left alone: they are news."""

    def __init__(self, *, ended_jobs: EndedJobs, clock: Clock) -> None:
        self._ended_jobs = ended_jobs
        self._clock = clock

    async def run(self, job_filter: EndedFilter, order: BulkOrder, act: Act, gone: asyncio.Event) -> BulkOutcome:
        """Change what matches until all are, the limit or the caller's time is reached, or `gone` is set.

        Raises StoreUnavailableError when the store fails before anything was changed; later it only ends the walk.
        """
        if order.cursor is not None:
            bound, after = order.cursor.finished_before, order.cursor.after
        else:
            now = self._clock.now()
            bound, after = min(job_filter.finished_before or now, now), None
        walk = _Walk(self._ended_jobs, replace(job_filter, finished_before=bound), order, gone)
        await walk.run(after, _count if order.dry_run else act)
        following = None if walk.is_complete else BulkCursor(finished_before=bound, after=walk.after)
        return BulkOutcome(count=walk.count, next=following)


async def _count(found: Sequence[FoundJob]) -> int:
    return len(found)


class _Walk:
    """One call's part of the way; `after` is the last place that was dealt with."""

    def __init__(self, ended_jobs: EndedJobs, job_filter: EndedFilter, order: BulkOrder, gone: asyncio.Event) -> None:
        self._ended_jobs = ended_jobs
        self._filter = job_filter
        self._limit = min(order.limit or MAX_JOBS, MAX_JOBS)
        self._rate = 0 if order.dry_run else order.rate
        self._gone = gone
        self._reserve = min(RESERVE_SECONDS, remaining_seconds() / 2)
        self.count = 0
        self.after: EndedCursor | None = None
        self.is_complete = False

    async def run(self, after: EndedCursor | None, act: Act) -> None:
        self.after = after
        try:
            while not self._must_stop() and not self.is_complete:
                page = await self._ended_jobs.scan(self._filter, after=self.after)
                if not await self._change_all(page.found, act):
                    return
                self.after = page.next
                self.is_complete = page.next is None
        except StoreUnavailableError:
            if self.count == 0:
                raise

    async def _change_all(self, found: Sequence[FoundJob], act: Act) -> bool:
        """Change a page batch by batch; tell whether all of it was dealt with."""
        while found:
            size = min(self._batch_size(), self._limit - self.count)
            if size == 0 or self._must_stop():
                return False
            batch, found = found[:size], found[size:]
            changed = await act(batch)
            self.count += changed
            self.after = batch[-1].cursor
            await self._pause(changed)
        return True

    def _batch_size(self) -> int:
        """Return a second's worth at most, so that no pause is longer than about one."""
        return min(BATCH, self._rate or BATCH)

    def _must_stop(self) -> bool:
        return self._gone.is_set() or remaining_seconds() <= self._reserve

    async def _pause(self, changed: int) -> None:
        if self._rate and changed:
            await wait_until(self._gone, changed / self._rate)
