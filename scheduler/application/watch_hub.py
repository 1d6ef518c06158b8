"""One reader for all watchers of a process: hints tell when to read, SQL tells what to say."""

import asyncio
import math
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from scheduler.application.errors import (
    JobNotFoundError,
    QueueUnavailableError,
    ServerStoppingError,
    TooManyWatchersError,
)
from scheduler.application.loops import run_until, spread, wait_until
from scheduler.application.ports.event_bus import EventBus, Subscription
from scheduler.application.ports.job_repository import JobRepository
from scheduler.application.ports.randomness import Randomness
from scheduler.application.ports.telemetry import FaultTelemetry
from scheduler.application.watcher import Watcher
from scheduler.domain.errors import SchedulerError
from scheduler.domain.events import Event, JobChanged, JobProgressed
from scheduler.domain.ids import JobId

MAX_WATCHERS = 10_000
POLL_SECONDS = 5.0
POLL_SECONDS_WITHOUT_HINTS = 0.5


class WatchHub:
    """Reads all jobs that are watched and may have changed, in one statement, and shows them to their watchers."""

    def __init__(
        self, *, repository: JobRepository, bus: EventBus, faults: FaultTelemetry, randomness: Randomness
    ) -> None:
        self._repository = repository
        self._bus = bus
        self._faults = faults
        self._randomness = randomness
        self._watchers: defaultdict[JobId, dict[Watcher, None]] = defaultdict(dict)
        """By job, and in the order in which they came: a run that is repeated is the same again."""
        self._count = 0
        self._due: set[JobId] = set()
        self._wake = asyncio.Event()
        self._subscription: Subscription | None = None
        self._subscribed: set[JobId] = set()
        self._stopped = False
        self._polled_at = -math.inf

    @contextmanager
    def watch(self, job_id: JobId) -> Iterator[Watcher]:
        """Watch a job while inside; raises TooManyWatchersError and ServerStoppingError."""
        if self._stopped:
            raise ServerStoppingError
        if self._count >= MAX_WATCHERS:
            raise TooManyWatchersError(MAX_WATCHERS)
        watcher = Watcher(job_id)
        self._watchers[job_id][watcher] = None
        self._count += 1
        self._mark([job_id])
        try:
            yield watcher
        finally:
            self._count -= 1
            del self._watchers[job_id][watcher]
            if not self._watchers[job_id]:
                del self._watchers[job_id]

    def stop(self) -> None:
        """End all watches, now and later, with ServerStoppingError."""
        self._stopped = True
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.fail(ServerStoppingError())

    async def listen(self, stopping: asyncio.Event) -> None:
        """Hear hints until stopped; without Redis try again and again while the hub polls."""
        while not stopping.is_set():
            try:
                await run_until(self._hear(), stopping)
            except Exception as error:  # noqa: BLE001 - the outermost frame of the loop: log it and go on
                self._faults.fault("watch_hints_lost", error)
                await wait_until(stopping, spread(1.0, self._randomness.draw()))

    async def _hear(self) -> None:
        try:
            async with self._bus.subscribe() as subscription:
                self._subscription = subscription
                self._mark(list(self._watchers))
                async for event in subscription.events():
                    self._take(event)
        finally:
            self._subscription, self._subscribed = None, set()
            self._wake.set()

    def _take(self, event: Event) -> None:
        if isinstance(event, JobChanged) and event.job_id in self._watchers:
            self._mark([event.job_id])
        if isinstance(event, JobProgressed):
            behind = [watcher for watcher in self._watchers.get(event.job_id, ()) if not watcher.hear(event)]
            if behind:
                self._mark([event.job_id])

    def _mark(self, ids: list[JobId]) -> None:
        self._due.update(ids)
        self._wake.set()

    async def refresh_once(self) -> bool:
        """Wait for hints or the poll's time, then read and show what is due; always asks to be called again."""
        due_in = self._poll_due_in()
        hinted = await wait_until(self._wake, due_in) if due_in > 0 else False
        self._wake.clear()
        # Taken before subscribing: who begins to watch meanwhile is subscribed, and then read, in the next turn.
        due = self._due & self._watchers.keys() if hinted else set(self._watchers)
        if not hinted:
            self._polled_at = asyncio.get_running_loop().time()
        self._due = set()
        await self._follow_subscription(self._subscription)
        if due:
            await self._show(list(due))
        return True

    def _poll_due_in(self) -> float:
        """Return the seconds until all are read anyway: hints about some jobs must not put that off for the others."""
        poll = POLL_SECONDS if self._subscription is not None else POLL_SECONDS_WITHOUT_HINTS
        since = asyncio.get_running_loop().time() - self._polled_at
        return spread(poll, self._randomness.draw()) - since

    async def _follow_subscription(self, subscription: Subscription | None) -> None:
        """Subscribe before reading: a change after the read then always brings a hint."""
        if subscription is None:
            return
        watched = set(self._watchers)
        new, gone = watched - self._subscribed, self._subscribed - watched
        try:
            if new:
                await subscription.watch_jobs(list(new))
            if gone:
                await subscription.unwatch_jobs(list(gone))
        except QueueUnavailableError as error:
            self._faults.fault("watch_hints_lost", error)
        else:
            if subscription is self._subscription:
                self._subscribed = watched

    async def _show(self, due: list[JobId]) -> None:
        # Only those who wait already: what is read now may be older than the watch of one who comes meanwhile.
        watchers = [watcher for job_id in due for watcher in self._watchers.get(job_id, ())]
        try:
            jobs = await self._repository.load(due)
        except SchedulerError as error:
            self._mark(due)
            _refuse_newcomers(watchers, error)
            del watchers  # they keep the error, and its traceback this frame
            raise
        for watcher in watchers:
            job = jobs.get(watcher.job_id)
            if job is None:
                watcher.fail(JobNotFoundError(watcher.job_id))
            else:
                watcher.show(job)


def _refuse_newcomers(watchers: list[Watcher], error: SchedulerError) -> None:
    for watcher in watchers:
        if not watcher.has_state:
            watcher.fail(error)
