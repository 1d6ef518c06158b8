"""What the target's errors mean for the attempt: one table by SQLSTATE, and what the phase adds to it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum, auto
from types import MappingProxyType
from typing import Final

import psycopg

from scheduler.application.ports.handlers import PermanentError
from scheduler.domain.errors import SchedulerError


class TargetError(SchedulerError):
    """The target cannot do it now: the attempt failed, and the next one may succeed."""


class RepeatableError(TargetError):
    """It was rolled back, or its fate is unknown: worth repeating within the attempt."""

    def __init__(self, message: str, *, unknown: bool = False) -> None:
        """Keep whether the transaction may have been committed."""
        super().__init__(message)
        self.unknown = unknown


class Verdict(Enum):
    """What an error calls for."""

    REPEAT = auto()
    """It was rolled back for the sake of another transaction: repeat it within the attempt."""
    RETRY = auto()
    """The target is in trouble: leave it to the job's next attempt."""
    FAILED = auto()
    """It will fail again: no retry can help."""


class Phase(Enum):
    """Where in the transaction the error came up."""

    CLAIM = auto()
    """The job's effect is being claimed: the statement has not been sent yet."""
    STATEMENT = auto()
    RECORD = auto()
    """The statement has run; what it did is being recorded."""
    COMMIT = auto()


# By SQLSTATE, by its class where the state is not listed, else RETRY.
VERDICTS: Final[Mapping[str, Verdict]] = MappingProxyType(
    {
        "40001": Verdict.REPEAT,  # serialization failure
        "40P01": Verdict.REPEAT,  # deadlock
        "40003": Verdict.REPEAT,  # CockroachDB: result of the COMMIT unknown
        "40002": Verdict.FAILED,  # integrity constraint violated by the transaction
        "08": Verdict.RETRY,  # connection exceptions
        "53": Verdict.RETRY,  # out of memory, disk or connections
        "55": Verdict.RETRY,  # object in use, 55P03 lock not available
        "57": Verdict.RETRY,  # 57014 cancelled by statement_timeout or an operator, 57P01 and up: the server goes away
        "58": Verdict.RETRY,  # system errors
        "0A": Verdict.FAILED,  # feature not supported
        "21": Verdict.FAILED,  # cardinality
        "22": Verdict.FAILED,  # data exceptions
        "23": Verdict.FAILED,  # integrity constraints: unique, foreign key, check, not null, exclusion
        "25": Verdict.FAILED,  # transaction state: not inside a transaction, or only there
        "25006": Verdict.RETRY,  # read only: the primary has moved
        "25P03": Verdict.RETRY,  # idle in transaction: this process stood still
        "25P04": Verdict.RETRY,  # transaction timeout
        "2B": Verdict.FAILED,  # dependent privileges
        "2D": Verdict.FAILED,  # COMMIT or ROLLBACK inside a procedure
        "2F": Verdict.FAILED,  # SQL routine exceptions
        "34": Verdict.FAILED,  # cursor names
        "38": Verdict.FAILED,  # external routine exceptions
        "39": Verdict.FAILED,  # external routine invocations
        "3B": Verdict.FAILED,  # savepoints
        "3D": Verdict.FAILED,  # catalog names
        "3F": Verdict.FAILED,  # schema names
        "42": Verdict.FAILED,  # syntax, permission, undefined names
        "42P05": Verdict.RETRY,  # a pooler's session knows another client's prepared statement
        "44": Verdict.FAILED,  # WITH CHECK OPTION
        "54": Verdict.FAILED,  # program limits
        "P0": Verdict.FAILED,  # RAISE in PL/pgSQL: the database's own refusal
    }
)


ROLLED_BACK: Final = frozenset({"40001", "40P01"})


@contextmanager
def told_apart(phase: Phase) -> Iterator[None]:
    """Turn the driver's errors into PermanentError, TargetError or RepeatableError."""
    try:
        yield
    except psycopg.Error as error:
        raise error_of_ours(error, phase) from error


def error_of_ours(error: psycopg.Error, phase: Phase) -> SchedulerError:
    """Translate an error."""
    text = one_line(error)
    match phase, verdict_on(error):
        case Phase.CLAIM, Verdict.FAILED:
            return TargetError(f"the job's effect cannot be recorded, see `scheduler migrate --db-tx`: {text}")
        case Phase.RECORD, Verdict.FAILED:
            return PermanentError(f"the statement changed the transaction or session that it ran in: {text}")
        case _, Verdict.FAILED:
            return PermanentError(text)
        case _, verdict:
            unknown = phase is Phase.COMMIT and error.sqlstate not in ROLLED_BACK
            # A statement whose connection was lost is not repeated at once: it may be what crashed the server.
            unsent = phase is Phase.CLAIM and _is_connection_lost(error)
            again = verdict is Verdict.REPEAT or unknown or unsent
            return RepeatableError(text, unknown=unknown) if again else TargetError(text)


def verdict_on(error: psycopg.Error) -> Verdict:
    """Tell what an error of a statement calls for."""
    if error.sqlstate is not None:
        return VERDICTS.get(error.sqlstate) or VERDICTS.get(error.sqlstate[:2], Verdict.RETRY)
    return Verdict.RETRY if _is_connection_lost(error) else Verdict.FAILED


def _is_connection_lost(error: psycopg.Error) -> bool:
    """Tell it from what the driver says of the connection, or the server as it goes away."""
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return error.sqlstate.startswith(("08", "57P"))


def one_line(error: psycopg.Error) -> str:
    """Say it in one line, with the SQLSTATE where there is one, and without the server's detail: it quotes data."""
    text = " ".join((error.diag.message_primary or str(error)).split()) or type(error).__name__
    return f"{text} [{error.sqlstate}]" if error.sqlstate else text
