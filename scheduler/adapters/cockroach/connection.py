"""One connection: how it is opened, and how it is given up."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, Self

import psycopg
from psycopg import AsyncConnection, AsyncPipeline
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from scheduler.adapters.cockroach.errors import StoreLoginError, login_error, one_line

CANCEL_SECONDS: Final = 1.0
"""How long a server may take to accept the cancellation of a statement."""

CONNECTION_DEFAULTS: Final[Mapping[str, int | str]] = {
    "connect_timeout": 2,  # seconds
    "tcp_user_timeout": 3000,  # ms that sent data may stay unacknowledged
    "keepalives_idle": 5,  # seconds until an idle peer is probed
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "client_encoding": "UTF8",
    "application_name": "scheduler",
}
"""What the address itself may say otherwise."""


RECONNECT_SECONDS: Final = 2.0
"""How long a statement waits for a lost server: enough for a fail-over between nodes or a dropped connection. After
that the caller learns that the store is away; it can wait better than a request that holds its memory."""


class Isolation(StrEnum):
    """The isolation level of every statement. No guarantee rests on it: each write compares and sets."""

    AUTO = "auto"
    """SERIALIZABLE on CockroachDB, READ COMMITTED on PostgreSQL, whose SERIALIZABLE aborts many batches."""
    SERIALIZABLE = "serializable"
    READ_COMMITTED = "read committed"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """Where the store is, and how it is used."""

    url: str
    isolation: Isolation = Isolation.AUTO
    min_connections: int = 1
    max_connections: int = 10
    statement_timeout: timedelta = timedelta(seconds=5)

    def conninfo(self) -> str:
        """Return the address with our defaults. Raises StoreLoginError when it is unusable."""
        try:
            return make_conninfo("", **(dict(CONNECTION_DEFAULTS) | conninfo_to_dict(self.url)))
        except psycopg.Error as error:
            # The driver quotes what it could not read, which may be the password.
            raise StoreLoginError(
                "the database address is no PostgreSQL URL, or has a parameter unknown to it"
            ) from error


class Link:
    """What is known of the way to the server."""

    def __init__(self) -> None:
        self.failure = ""
        """Why the last attempt to connect failed, empty if it did not."""
        self._down_since: float | None = None

    def is_up(self) -> None:
        """Note that there is a connection."""
        self.failure = ""
        self._down_since = None

    def is_down(self, error: psycopg.Error) -> None:
        """Note that an attempt to connect failed."""
        self.failure = one_line(error)
        self._down_since = self._down_since or time.monotonic()

    def outage(self) -> float:
        """Return for how many seconds no attempt to connect has succeeded, 0 when the last one did."""
        return 0.0 if self._down_since is None else time.monotonic() - self._down_since


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What holds for every statement, by the names of the parameters of SQL."""

    isolation: Isolation
    statement_timeout: str


class OneSyncPipeline(AsyncPipeline):
    """A pipeline that ends with its Sync.

    The driver's own sends a Flush behind it, to which no server says that it is ready: a pooler that gets it late takes
    a session for it and keeps that for a client that idles.
    """

    def _exit_gen(self) -> PQGen[None]:
        self._enqueue_sync()
        try:
            yield from self._communicate_gen()
        finally:
            yield from self._fetch_gen(flush=False)


class StoreConnection(AsyncConnection[TupleRow]):
    """A connection that tells its Link how connecting went, and never waits long for a server that is silent."""

    pooled_terms: Terms | None = None
    """Set behind a pooler: what each transaction must set for itself, because its session serves other clients too."""

    @classmethod
    async def connect(cls, conninfo: str = "", **kwargs: Any) -> Self:  # noqa: ANN401 - the driver's keywords
        """Connect; the keyword `link` names the Link to tell."""
        link: Link = kwargs.pop("link")
        try:
            connection = await super().connect(conninfo, **kwargs)
        except psycopg.Error as error:
            link.is_down(error)
            raise
        link.is_up()
        return connection

    async def cancel_safe(self, *, timeout: float = CANCEL_SECONDS) -> None:  # noqa: ASYNC109 - the driver's signature
        """Ask the server to cancel the running statement, in CANCEL_SECONDS at most."""
        await super().cancel_safe(timeout=min(timeout, CANCEL_SECONDS))

    @property
    def is_cockroach(self) -> bool:
        """Tell whether the server is CockroachDB."""
        return self.pgconn.parameter_status(b"crdb_version") is not None

    @property
    def backend_pid(self) -> int:
        """Return the id under which a statement of this connection is cancelled, as the server writes it."""
        return self.info.backend_pid % 2**32

    def share_sessions(self, terms: Terms) -> None:
        """Rely on nothing that a session of the server keeps: prepared statements and settings."""
        self.prepare_threshold = None
        self.pooled_terms = terms

    @asynccontextmanager
    async def one_message(self) -> AsyncIterator[None]:
        """Send the statements inside together, up to the first that fails; their results are there behind it."""
        pipeline = self._pipeline = OneSyncPipeline(self)
        try:
            async with pipeline:
                yield
        finally:
            self._pipeline = None

    def is_usable(self) -> bool:
        """Tell whether the server has left the connection open, from what has arrived: no round trip."""
        try:
            self.pgconn.consume_input()  # its last words, if any
            self.pgconn.consume_input()  # the end behind them
        except psycopg.Error:
            return False
        return not self.closed

    def hang_up(self) -> None:
        """End the connection under a statement that waits on it, which then fails at once."""
        with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(self.fileno())) as twin:
            twin.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def hang_up_after(self, seconds: float) -> Iterator[None]:
        """Hang up when what runs inside takes longer: a stopped server answers neither a statement nor its end."""
        timer = asyncio.get_running_loop().call_later(seconds, self.hang_up)
        try:
            yield
        finally:
            timer.cancel()


async def connect_first(settings: StoreSettings, link: Link) -> StoreConnection:
    """Connect once. Raises StoreUnavailableError, or StoreLoginError, with the reason in one line."""
    conninfo = settings.conninfo()
    try:
        return await StoreConnection.connect(conninfo, autocommit=True, link=link)
    except psycopg.Error as error:
        raise login_error(error) from error
