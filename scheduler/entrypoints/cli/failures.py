"""What a command does when it cannot do its work: one line on standard error, and an exit code."""

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from functools import wraps
from typing import ParamSpec, TypeAlias

import typer

from scheduler.domain.errors import InvalidFieldError, SchedulerError
from scheduler.domain.text import printable

P = ParamSpec("P")
Command: TypeAlias = Callable[P, int | None]
"""Returns its exit code; None is 0."""

FAILED = 1
MISUSED = 2
INTERRUPTED = 130
BROKEN_PIPE = 141
_EXPECTED = (SchedulerError, OSError, UnicodeEncodeError)


def reported(command: Command[P]) -> Callable[P, None]:
    """Make a command exit with its code, and with one clear line instead of any exception."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        raise typer.Exit(_attempt(lambda: command(*args, **kwargs), as_json=bool(kwargs.get("as_json"))))

    return run


def _attempt(command: Callable[[], int | None], *, as_json: bool) -> int:
    try:
        code = command() or 0
        sys.stdout.flush()
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
        return BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 - the outermost place: nothing may end in a traceback
        return complain(error, as_json=as_json)
    else:
        return code


def complain(error: Exception, *, as_json: bool) -> int:
    """Print the error and return the exit code that it means."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    print_error(_document(error) if as_json else f"scheduler: {_in_words(error)}")
    if trace := getattr(error, "trace", ""):
        print(trace, end="", file=sys.stderr)  # noqa: T201 - the user's own code raised: its traceback is the answer
    if not isinstance(error, _EXPECTED) and _wants_traceback():
        traceback.print_exception(error)
    return MISUSED if isinstance(error, InvalidFieldError | UnicodeEncodeError) else FAILED


def print_error(message: str | Mapping[str, object]) -> None:
    """Write one line to standard error."""
    line = printable(message) if isinstance(message, str) else json.dumps(message)
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - this is the output


def _in_words(error: Exception) -> str:
    from scheduler.adapters.grpc.client_errors import ClientError

    if isinstance(error, ClientError):
        fields = "; ".join(f"{violation.field}: {violation.reason}" for violation in error.details.violations)
        return f"{error.status}: {fields or error.message}"
    if isinstance(error, SchedulerError | OSError):
        return str(error) or type(error).__name__
    if isinstance(error, UnicodeEncodeError):  # from an argument, for streams replace what they cannot encode
        return f"{error.object!r} is not valid UTF-8"
    return f"unexpected {type(error).__name__}: {error} (LOG_LEVEL=DEBUG shows where)"


def _document(error: Exception) -> Mapping[str, object]:
    from scheduler.adapters.grpc.client_errors import ClientError

    if isinstance(error, ClientError):
        details = error.details
        return _error_document(
            error.status,
            error.message,
            violations={violation.field: violation.reason for violation in details.violations},
            reason=details.reason,
            retry_after=details.retry_after.total_seconds() if details.retry_after is not None else None,
        )
    if isinstance(error, InvalidFieldError):
        return _error_document("INVALID_ARGUMENT", str(error), violations={error.field: error.reason})
    return _error_document("UNKNOWN", _in_words(error))


def _error_document(
    status: str,
    message: str,
    *,
    violations: Mapping[str, str] | None = None,
    reason: str = "",
    retry_after: float | None = None,
) -> Mapping[str, object]:
    fields = [{"field": name, "description": why} for name, why in (violations or {}).items()]
    return {
        "error": {
            "status": status,
            "message": message,
            "field_violations": fields,
            "reason": reason,
            "retry_after": retry_after,
        }
    }


def _wants_traceback() -> bool:
    from scheduler.entrypoints.settings import Settings, SettingsError

    try:
        return Settings.load().log_level == "DEBUG"
    except SettingsError:
        return False


def _silence_stdout() -> None:
    """Let the interpreter's last flush succeed: whoever read our output has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
