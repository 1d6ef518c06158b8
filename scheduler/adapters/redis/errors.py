"""Errors of redis-py, as the application knows them."""

from collections.abc import Mapping, Sequence

from redis import exceptions as redis_errors

from scheduler.application.errors import QueueUnavailableError

REDIS_FAULTS = (redis_errors.RedisError, OSError)
"""All that a call to Redis can raise; the built-in TimeoutError is an OSError."""

_BY_CODE: Mapping[str, str] = {
    "BUSY": "busy with a script that does not end",
    "MISCONF": "cannot write its data to disk",
    "NOREPLICAS": "has too few replicas to accept writes",
}
_BY_TYPE: Sequence[tuple[type[Exception], str]] = (
    (redis_errors.AuthenticationError, "refuses the login"),
    (redis_errors.AuthenticationWrongNumberOfArgsError, "refuses the login"),
    (redis_errors.NoPermissionError, "denies the permission"),
    (redis_errors.BusyLoadingError, "is loading its data"),
    (redis_errors.OutOfMemoryError, "is out of memory"),
    (redis_errors.ReadOnlyError, "is a read-only replica"),
    (redis_errors.MasterDownError, "has lost its master"),
    (redis_errors.ClusterDownError, "is part of a cluster that is down"),
    (redis_errors.AskError, "is the wrong node of a cluster"),
    (redis_errors.TimeoutError, "does not answer in time"),
    (redis_errors.ConnectionError, "cannot be reached"),
    (redis_errors.ResponseError, "refuses the command"),
    (TimeoutError, "does not answer in time"),
    (OSError, "cannot be reached"),
)
_MAX_TEXT = 200


def translate(error: Exception) -> QueueUnavailableError:
    """Say in one line why Redis cannot be used."""
    text = " ".join(str(error).split())[:_MAX_TEXT]
    summary = f"Redis {_summary(error, text)}"
    return QueueUnavailableError(f"{summary}: {text}" if text else summary)


def _summary(error: Exception, text: str) -> str:
    by_code = _BY_CODE.get(text.partition(" ")[0])
    if by_code is not None:
        return by_code
    return next((summary for kind, summary in _BY_TYPE if isinstance(error, kind)), "fails")
