"""The store as READ COMMITTED has it: a statement sees a snapshot, waits for row locks, and judges the newest rows."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, TypeVar

import psycopg

from scheduler.adapters.memory.ended_jobs import MemoryEndedJobs
from scheduler.adapters.memory.fixed_clock import FixedClock
from scheduler.adapters.memory.job_repository import MemoryJobRepository
from scheduler.adapters.memory.store import MemoryData, MemoryStore
from scheduler.application.dto import Change, NewJob, ProgressNote
from scheduler.application.errors import DuplicateJobsError, StoreRejectedError
from scheduler.domain.errors import SchedulerError
from scheduler.domain.ids import JobId
from scheduler.domain.job import Job
from tests.simulation.loop import SimulationLoop
from tests.simulation.network import Call, Server, at_once

if TYPE_CHECKING:
    from tests.simulation.servers import ServerClock

STATEMENT_SECONDS = 5.0
"""The statement_timeout of every connection."""
RETRYABLE = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)
DYING = (psycopg.errors.AdminShutdown, psycopg.errors.CrashShutdown, psycopg.OperationalError)
Item = TypeVar("Item")


class Locks:
    """Row locks, in the order in which they were asked for, and tables that an operator has locked as a whole."""

    def __init__(self) -> None:
        self._held: dict[object, asyncio.Event] = {}
        self.tables: set[str] = set()
        self.unlocked = asyncio.Event()

    def free(self, rows: Iterable[object]) -> bool:
        return not any(row in self._held for row in rows)

    async def take(self, row: object) -> None:
        while (released := self._held.get(row)) is not None:
            await released.wait()
        self._held[row] = asyncio.Event()

    def release(self, rows: Iterable[object]) -> None:
        for row in rows:
            self._held.pop(row).set()

    async def open_tables(self, names: frozenset[str]) -> None:
        while self.tables & names:
            self.unlocked.clear()
            await self.unlocked.wait()

    def unlock(self, name: str) -> None:
        self.tables.discard(name)
        self.unlocked.set()


class Engine:
    """Carries out the statements of all connections."""

    def __init__(
        self, loop: SimulationLoop, server: Server, clock: "ServerClock", data: Callable[[], MemoryData], rng: Random
    ) -> None:
        self._loop = loop
        self._server = server
        self._clock = clock
        self._data = data
        self._rng = rng
        self.locks = Locks()
        self.pace = 0.0
        """How long a statement takes at most."""

    def accept(self, call: Call, host: str, is_cancelled: Callable[[], bool], answer: Callable[[object], None]) -> None:
        """Carry a statement out, at once where nothing is in its way; `answer` gets its rows or the driver's error."""
        rows = list(_rows_of(call, self._data()))
        seconds = self._seconds()
        if not seconds and self.locks.free(rows) and not self.locks.tables:
            answer(self._commit(call, host))
            return
        running = self._run(call, rows, seconds, host, is_cancelled)
        task = self._loop.spawn(self._server.lane, running)
        task.add_done_callback(lambda done: None if done.cancelled() else answer(done.result()))

    def _seconds(self) -> float:
        slow = self._server.slow and self._server.slow * (0.5 + 0.5 * self._rng.random())
        return slow + (self.pace * self._rng.random() if self.pace and self._rng.random() < 0.5 else 0.0)

    async def _run(
        self, call: Call, rows: Sequence[object], seconds: float, host: str, is_cancelled: Callable[[], bool]
    ) -> object:
        begun_at, life = self._clock.now(), self._server.life
        held: list[object] = []
        try:
            async with asyncio.timeout(STATEMENT_SECONDS):
                await self.locks.open_tables(_tables_of(call))
                narrowed = _narrowed(call, self._data())
                if not rows:
                    outcome = self._commit(narrowed, host)
                    await asyncio.sleep(seconds)
                    return outcome
                for row in rows:
                    await self.locks.take(row)
                    held.append(row)
                    await asyncio.sleep(seconds / len(rows))
        except TimeoutError:
            return psycopg.errors.QueryCanceled("canceling statement due to statement timeout")
        else:
            if life != self._server.life:
                return self._rng.choice(DYING)("the server went down")
            if is_cancelled():
                return psycopg.errors.QueryCanceled("canceling statement due to user request")
            with self._clock.standing_at(begun_at):
                return self._commit(narrowed, host)
        finally:
            self.locks.release(held)

    def _commit(self, call: Call, host: str) -> object:
        self._server.caller, self._server.cause = host, call.cause
        try:
            return call.perform()
        except SchedulerError as error:
            return _driver_error(error)

    def refusal(self) -> psycopg.Error:
        """Return what a statement gets that was rolled back for the sake of another one."""
        return self._rng.choice(RETRYABLE)("try again")

    @contextmanager
    def table_locked(self, name: str) -> Iterator[None]:
        """Keep every statement on a table waiting while inside, as VACUUM FULL does."""
        self.locks.tables.add(name)
        try:
            with self._server.troubles.during("locked"):
                yield
        finally:
            self.locks.unlock(name)


def _driver_error(error: SchedulerError) -> psycopg.Error:
    if isinstance(error, DuplicateJobsError):
        return psycopg.errors.UniqueViolation(str(error))
    if isinstance(error, StoreRejectedError):
        return psycopg.errors.DataException(str(error))
    raise error


def _tables_of(call: Call) -> frozenset[str]:
    port, _, method = call.name.partition(".")
    if port in {"lease", "registry"}:
        return (
            frozenset({"workers", "jobs"}) if method in {"held_attempts", "forget_closed"} else frozenset({"workers"})
        )
    return frozenset() if port == "time" else frozenset({"jobs"})


def _rows_of(call: Call, data: MemoryData) -> Iterator[object]:
    """Yield what a statement locks, in an order that all statements keep; nothing for one that only reads."""
    match call.name:
        case "jobs.add_all":
            yield from sorted({str(name) for new in _all(call, NewJob) for name in _names(new)})
        case "jobs.apply":
            yield from sorted({str(change.job.id) for change in _all(call, Change)})
        case "jobs.note_progress":
            yield from sorted({str(note.attempt_id.job_id) for note in _all(call, ProgressNote)})
        case "ended.delete":
            yield from sorted({str(job.id) for job in _all(call, Job)})
        case "lease.register":
            yield "new worker"
        case "lease.renew" | "lease.close":
            yield f"worker {call.args[0]}"
        case "registry.close_expired":
            yield from sorted(f"worker {row.info.id}" for row in data.workers.values() if row.closed_at is None)


def _names(new: NewJob) -> Iterator[object]:
    yield new.job.id
    if new.job.idempotency_key is not None:
        yield f"key {new.job.idempotency_key}"


def _all(call: Call, kind: type[Item]) -> Sequence[Item]:
    items = call.args[0]
    assert isinstance(items, Sequence)
    return [item for item in items if isinstance(item, kind)]


def _narrowed(call: Call, data: MemoryData) -> Call:
    """Leave out what the snapshot at the statement's beginning does not match: no newer row brings it back."""
    match call.name:
        case "jobs.apply":
            changes = _all(call, Change)
            scratch = _scratch(data, [change.job.id for change in changes])
            applied = at_once(MemoryJobRepository(scratch).apply(changes))
            return replace(call, args=([change for change in changes if change.job.id in applied],))
        case "ended.delete":
            jobs = _all(call, Job)
            scratch = _scratch(data, [job.id for job in jobs])
            at_once(MemoryEndedJobs(scratch).delete(jobs))
            left = at_once(MemoryJobRepository(scratch).load([job.id for job in jobs]))
            return replace(call, args=([job for job in jobs if job.id in data.jobs and job.id not in left],))
        case _:
            return call


def _scratch(data: MemoryData, ids: Sequence[JobId]) -> MemoryStore:
    scratch = MemoryStore(FixedClock())

    async def fill() -> None:
        async with scratch.statement() as copy:
            for job_id in dict.fromkeys(ids):
                if job_id in data.jobs:
                    copy.put(data.jobs[job_id])

    at_once(fill())
    return scratch
