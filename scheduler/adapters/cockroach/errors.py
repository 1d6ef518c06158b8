"""What the driver's errors mean: one table, and the errors of ours that follow from it."""

import re
from collections.abc import Mapping
from enum import Enum, auto
from types import MappingProxyType
from typing import Final

import psycopg
from psycopg_pool import PoolClosed

from scheduler.application.errors import (
    DuplicateJobsError,
    SchemaNotMigratedError,
    StoreRejectedError,
    StoreUnavailableError,
)
from scheduler.domain.errors import SchedulerError


class StoreLoginError(StoreUnavailableError):
    """The server answers and does not let us in: wrong password, no such role or database, unusable address."""


class MigrationChangedError(SchedulerError):
    """A migration that has run reads differently now: migrations are never edited, a new one is added."""

    def __init__(self, name: str) -> None:
        """Keep the migration's name."""
        super().__init__(f"migration {name} was changed after it had run: restore it and add a new one")
        self.name = name


class Verdict(Enum):
    """What a failed statement calls for. Every statement may be repeated: a repeated write finds its own op_id."""

    REPEAT = auto()
    """It was rolled back for the sake of another one: repeat it until the deadline."""
    RECONNECT = auto()
    """The connection is gone, or of no use; whether a write was stored is unknown: repeat it on another one."""
    UNAVAILABLE = auto()
    """The store cannot do it now, or the statement does not fit it: another time, schema or version may."""
    DUPLICATE = auto()
    """A unique value is taken."""
    REJECTED = auto()
    """The store will never take these data. Nothing else is called so: a caller gives up, a result is replaced."""
    NOT_MIGRATED = auto()
    """The statement names what the schema lacks."""


# By SQLSTATE, by its class where the state is not listed, else UNAVAILABLE.
VERDICTS: Final[Mapping[str, Verdict]] = MappingProxyType(
    {
        "40": Verdict.REPEAT,  # 40001 serialization failure, 40P01 deadlock
        "40003": Verdict.RECONNECT,  # statement completion unknown
        "08": Verdict.RECONNECT,  # connection exceptions, 08007 transaction resolution unknown among them
        "57P01": Verdict.RECONNECT,  # admin shutdown
        "57P02": Verdict.RECONNECT,  # crash shutdown
        "57P03": Verdict.RECONNECT,  # cannot connect now
        "57P05": Verdict.RECONNECT,  # idle session timeout
        "53300": Verdict.RECONNECT,  # too many connections
        "58C01": Verdict.RECONNECT,  # CockroachDB: the node drains
        "25": Verdict.RECONNECT,  # 25P03 idle in transaction timeout, 25006 read only: the primary has moved, …
        "0A000": Verdict.RECONNECT,  # cached plan must not change result type
        "26000": Verdict.RECONNECT,  # prepared statement does not exist
        "42P05": Verdict.RECONNECT,  # prepared statement already exists
        "22P03": Verdict.RECONNECT,  # the parameters met another statement's types
        "23505": Verdict.DUPLICATE,
        "22": Verdict.REJECTED,  # data exceptions
        "23": Verdict.REJECTED,  # integrity constraints
        "54000": Verdict.REJECTED,  # a value is longer than the store can hold or index
        "42P01": Verdict.NOT_MIGRATED,  # undefined table
        "42703": Verdict.NOT_MIGRATED,  # undefined column
    }
)
Failure = psycopg.Error | UnicodeEncodeError | TimeoutError
FAILURES: Final = (psycopg.Error, UnicodeEncodeError, TimeoutError)
"""All that a statement can fail with."""

_REASONS: Final = MappingProxyType({"40001": "serialization", "40P01": "deadlock"})
# A word of the server, or of the client library about the address.
_FOR_GOOD = re.compile(r"FATAL|invalid")
# The server's words while it starts, stops, or has no connection left: it will let us in later.
_FOR_NOW = re.compile(r"starting up|shutting down|recovery|too many|remaining connection slots|not yet accepting")


def verdict_on(error: Failure) -> Verdict:
    """Tell what a failed statement calls for."""
    if isinstance(error, TimeoutError | PoolClosed):
        return Verdict.UNAVAILABLE
    if isinstance(error, UnicodeEncodeError):
        return Verdict.REJECTED
    if error.sqlstate is not None:
        return VERDICTS.get(error.sqlstate) or VERDICTS.get(error.sqlstate[:2], Verdict.UNAVAILABLE)
    # Without a SQLSTATE the driver itself speaks: of the connection, of data that it cannot send, or of our mistakes.
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return Verdict.RECONNECT
    return Verdict.REJECTED if isinstance(error, psycopg.DataError) else Verdict.UNAVAILABLE


def reason_of(error: Failure) -> str:
    """Name in a word why a statement is repeated; there are few such words."""
    if isinstance(error, psycopg.Error) and error.sqlstate is not None:
        return _REASONS.get(error.sqlstate, verdict_on(error).name.lower())
    return "timeout" if isinstance(error, TimeoutError) else verdict_on(error).name.lower()


def error_of_ours(error: Failure, verdict: Verdict, detail: str = "") -> SchedulerError:
    """Translate a failure that is not repeated, or not any more."""
    text = detail or one_line(error)
    match verdict:
        case Verdict.DUPLICATE:
            return DuplicateJobsError(text)
        case Verdict.NOT_MIGRATED:
            return SchemaNotMigratedError([text.partition(" does not exist")[0]])
        case Verdict.REJECTED:
            return StoreRejectedError(text)
        case _:
            return StoreUnavailableError(text)


def login_error(error: psycopg.Error) -> StoreUnavailableError:
    """Translate a failed first connection."""
    text = one_line(error)
    return (
        StoreLoginError(text) if _FOR_GOOD.search(text) and not _FOR_NOW.search(text) else StoreUnavailableError(text)
    )


def one_line(error: BaseException) -> str:
    """Say it in one line, with the SQLSTATE where there is one."""
    primary = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    text = " ".join((primary or str(error)).split()) or type(error).__name__
    state = error.sqlstate if isinstance(error, psycopg.Error) else None
    return f"{text} [{state}]" if state else text
