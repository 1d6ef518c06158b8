"""How far the attempts of this worker are: said by handlers, told to watchers and to the store."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from threading import Lock

from scheduler.application.best_effort import BestEffortQueue
from scheduler.application.deadline import time_limit
from scheduler.application.dto import ProgressNote
from scheduler.application.errors import StoreUnavailableError
from scheduler.application.loops import Loop, LoopServices, wait_until
from scheduler.application.ports.clock import Clock
from scheduler.application.ports.job_repository import JobRepository
from scheduler.domain.ids import AttemptId, OpId
from scheduler.domain.job import Job
from scheduler.domain.progress import Progress

TELL_SECONDS = 0.25
"""Between two hints. Loops spread it by a fifth: at most 5 a second."""
STORE_SECONDS = 2.0
"""Between two writes, and from the first note to its write: what ends earlier is written with its result alone."""
_TICK = timedelta(microseconds=1)


class ProgressBoard:
    """Keeps what each running attempt said last, and nothing of others. Handlers may talk from any thread.

    All news go out together, as hints several times a second and in one write every other second; a board on which
    nothing is new sleeps. Nothing that goes wrong on the way out is a fault of the attempt.
    """

    def __init__(
        self, *, repository: JobRepository, queue: BestEffortQueue, clock: Clock, services: LoopServices
    ) -> None:
        self._repository = repository
        self._queue = queue
        self._clock = clock
        self._services = services
        self._lock = Lock()
        self._starts: dict[AttemptId, OpId] = {}
        self._said: dict[AttemptId, Progress | None] = {}
        self._untold: set[AttemptId] = set()
        self._unstored: set[AttemptId] = set()
        self._to_tell = asyncio.Event()
        self._to_store = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self, started: Job) -> Callable[[float, str], None]:
        """Return what the attempt may call to say how far it is; that raises InvalidFieldError for a bad percent."""
        attempt_id = started.attempt_id
        with self._lock:
            self._starts[attempt_id] = started.op_id
            self._said[attempt_id] = None
        return partial(self._note, attempt_id)

    def hand_over(self, attempt_id: AttemptId) -> Progress | None:
        """Return what the attempt said last: its result carries that to the store, without a write of its own."""
        with self._lock:
            self._unstored.discard(attempt_id)
            return self._said.get(attempt_id)

    def close(self, attempt_id: AttemptId) -> None:
        """Forget the attempt, and hear nothing more of it."""
        with self._lock:
            self._starts.pop(attempt_id, None)
            self._said.pop(attempt_id, None)
            self._untold.discard(attempt_id)
            self._unstored.discard(attempt_id)

    async def run(self, stopping: asyncio.Event) -> None:
        """Pass on what is said until stopped."""
        self._loop = asyncio.get_running_loop()
        self._wake()  # what was said before counts too
        tell = Loop("progress_hints", self._tell_once, interval=TELL_SECONDS, services=self._services)
        store = Loop("progress_store", partial(self._store_once, stopping), interval=0, services=self._services)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(tell.run(stopping))
                group.create_task(store.run(stopping))
                await stopping.wait()
                self._wake()
        finally:
            self._loop = None

    def _note(self, attempt_id: AttemptId, percent: float, message: str = "") -> None:
        said = Progress.said(percent, message, at=self._clock.now())
        with self._lock:
            if attempt_id not in self._said:
                return
            last = self._said[attempt_id]
            later = last is None or said.at > last.at
            self._said[attempt_id] = said if last is None or later else replace(said, at=last.at + _TICK)
            is_news = attempt_id not in self._untold
            self._untold.add(attempt_id)
            self._unstored.add(attempt_id)
        if is_news and (loop := self._loop) is not None:
            loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._to_tell.set()
        self._to_store.set()

    async def _tell_once(self) -> bool:
        await self._to_tell.wait()
        self._to_tell.clear()
        await self._queue.tell_progress(self._take(self._untold))
        return False

    async def _store_once(self, stopping: asyncio.Event) -> bool:
        await self._to_store.wait()
        await wait_until(stopping, STORE_SECONDS)
        self._to_store.clear()
        notes = self._take(self._unstored)
        try:
            with time_limit(STORE_SECONDS):
                await self._repository.note_progress(notes)
        except StoreUnavailableError:
            self._take_back(notes)
            raise
        return True

    def _take(self, news: set[AttemptId]) -> list[ProgressNote]:
        with self._lock:
            found = [(attempt_id, self._starts[attempt_id], self._said[attempt_id]) for attempt_id in news]
            news.clear()
        return [
            ProgressNote(attempt_id=attempt_id, op_id=op_id, progress=said)
            for attempt_id, op_id, said in found
            if said is not None
        ]

    def _take_back(self, notes: list[ProgressNote]) -> None:
        with self._lock:
            self._unstored.update(note.attempt_id for note in notes if note.attempt_id in self._said)
        self._to_store.set()
