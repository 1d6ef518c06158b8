"""A process's connections to the store, under the real pool, retry wrapper and patience of the SQL adapter."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import cast

import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from scheduler.adapters.cockroach.connection import Link as Reachability
from scheduler.adapters.cockroach.connection import StoreConnection, StoreSettings
from scheduler.adapters.cockroach.pool import ConnectionPool
from scheduler.adapters.cockroach.statements import Statements
from scheduler.adapters.cockroach.transaction import Transactions
from tests.simulation.engine import Engine
from tests.simulation.network import NOTICED_AFTER, Call, Link

STATEMENTS = Statements()
CALL = "call"
END_NOTICED = 0.7
"""The chance that a lost server is noticed before the next statement is sent."""
SEARCH_SECONDS = 0.15
"""Between two attempts of a pool to connect."""


class Rows:
    """What the driver's cursor shows of an answer."""

    description = ()

    def __init__(self, answer: object) -> None:
        self._answer = answer

    async def fetchall(self) -> Sequence[TupleRow]:
        return [(self._answer,)]


class Session:
    """One connection: a named operation of the memory store stands for each statement."""

    def __init__(self, link: Link, engine: Engine) -> None:
        self._link = link
        self._engine = engine
        self._life = link.server.life
        self.closed = False
        self.pooled_terms = None

    def is_usable(self) -> bool:
        noticed = self._life != self._link.server.life and self._link.draw() < END_NOTICED
        return not self.closed and not noticed

    async def close(self) -> None:
        self.closed = True

    @contextmanager
    def hang_up_after(self, _seconds: float) -> Iterator[None]:
        yield

    async def execute(self, statement: bytes, parameters: Mapping[str, object], **_options: object) -> Rows:
        call = parameters[CALL]
        assert isinstance(call, Call)
        sent = _Sent(self._link, self._engine, call, self._life)
        try:
            return Rows(await sent.reply)
        except asyncio.CancelledError:
            sent.cancelled = not self._link.is_broken
            if not sent.cancelled and self._link.draw() < 0.5:
                raise psycopg.OperationalError("the connection failed while the statement was cancelled") from None
            raise


class _Sent:
    """A statement on its way, there, and back."""

    def __init__(self, link: Link, engine: Engine, call: Call, life: int) -> None:
        self._link = link
        self._engine = engine
        self._call = call
        self._life = life
        self.cancelled = False
        self.reply: asyncio.Future[object] = link.loop.create_future()
        self._later(self._arrive, link.latency())

    def _later(self, callback: Callable[..., None], seconds: float, *args: object) -> None:
        self._link.loop.call_later(seconds, callback, *args, context=self._link.server.lane.context)

    def _note(self, *details: object) -> None:
        self._link.trace.note(self._link.host, self._call.name, *details)

    def _arrive(self) -> None:
        link = self._link
        link.server.reached(link.host, self._call, "arrives")
        fate, weather = link.draw(), link.weather
        if link.is_broken or self._life != link.server.life:
            self._note("UNREACHABLE")
            self._lose(0.0 if link.draw() < 0.5 else NOTICED_AFTER)
        elif fate < weather.request_lost:
            self._note("REQUEST LOST")
            self._lose(NOTICED_AFTER * link.draw())
        elif fate < weather.request_lost + weather.conflict:
            self._note("CONFLICT")
            self._later(self._deliver, link.latency(), self._engine.refusal())
        elif not self.cancelled:
            self._engine.accept(self._call, link.host, lambda: self.cancelled, self._done)

    def _done(self, outcome: object) -> None:
        link = self._link
        lost = link.draw() < link.weather.reply_lost
        self._note(*self._call.args, "->", outcome, "REPLY LOST" if lost else "")
        link.server.reached(link.host, self._call, "done")
        if lost:
            self._lose(NOTICED_AFTER * link.draw())
        else:
            self._later(self._deliver, link.latency(), outcome)

    def _lose(self, seconds: float) -> None:
        self._later(self._deliver, seconds, psycopg.OperationalError("the connection is lost"))

    def _deliver(self, outcome: object) -> None:
        if self.reply.done():
            return
        if isinstance(outcome, Exception):
            self.reply.set_exception(outcome)
        elif self._link.is_broken:
            self._lose(0.0 if self._link.draw() < 0.5 else NOTICED_AFTER)
            self._link.trace.note(self._link.host, self._call.name, "REPLY CUT OFF")
        else:
            self.reply.set_result(outcome)


class _Sessions:
    """What psycopg's pool does: it keeps what comes back, and looks for the server when it has none."""

    def __init__(self, link: Link, engine: Engine, reachability: Reachability) -> None:
        self._link = link
        self._engine = engine
        self._reachability = reachability
        self._idle: list[Session] = []
        self._size = 0

    def get_stats(self) -> Mapping[str, int]:
        return {"pool_size": self._size}

    async def getconn(self, timeout: float) -> Session:  # noqa: ASYNC109 - the pool's signature
        if self._idle:
            return self._idle.pop()
        until = self._link.loop.time() + timeout
        while self._link.is_broken:
            self._reachability.is_down(psycopg.OperationalError("connection refused"))
            left = until - self._link.loop.time()
            if left <= 0:
                raise PoolTimeout("simulated")
            await asyncio.sleep(min(left, SEARCH_SECONDS))
        await asyncio.sleep(self._link.latency())
        self._size += 1
        return Session(self._link, self._engine)

    async def putconn(self, session: Session) -> None:
        if session.closed or not session.is_usable():
            self._size -= 1
        else:
            self._idle.append(session)


class SimulatedPool(ConnectionPool):
    """The pool of one process: only what it borrows is simulated."""

    def __init__(self, link: Link, engine: Engine) -> None:
        super().__init__(StoreSettings(url="postgresql://simulated"), STATEMENTS)
        sessions = _Sessions(link, engine, self.link)
        self._pool = cast("AsyncConnectionPool[StoreConnection]", sessions)


def transactions(link: Link, engine: Engine) -> Transactions:
    """Return a process's way to the store over one link."""
    return Transactions(SimulatedPool(link, engine), STATEMENTS, draw=link.draw)
