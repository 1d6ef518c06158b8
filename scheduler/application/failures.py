"""What the exceptions of code that is not ours come to."""

from contextlib import suppress
from datetime import timedelta

from scheduler.application.ports.handlers import PermanentError, RetryLaterError
from scheduler.domain.retry import MAX_DELAY, Failure, FailureKind
from scheduler.domain.text import MAX_TEXT_BYTES

MAX_LINKED = 100
MAX_MEMBERS = 3


def failure_of(error: BaseException) -> Failure:
    """Return the failure that an exception means. Nothing of it is trusted, and nothing that it holds is kept."""
    try:
        return _read(error)
    except BaseException:  # noqa: BLE001 - an error that cannot be read is an error all the same
        return Failure(kind=FailureKind.ERROR, error="an error that cannot be shown")
    finally:
        with suppress(BaseException):
            _let_go(error)


def _read(error: BaseException) -> Failure:
    if isinstance(error, PermanentError):
        return Failure(kind=FailureKind.PERMANENT, error=_text(error))
    if isinstance(error, RetryLaterError):
        return Failure(kind=FailureKind.ERROR, error=_text(error), retry_after=_delay(error))
    # A task group says of itself only how many failed.
    members = error.exceptions[:MAX_MEMBERS] if isinstance(error, BaseExceptionGroup) else ()
    return Failure(kind=FailureKind.ERROR, error="; ".join(map(_named, (error, *members))))


def _named(error: BaseException) -> str:
    text, name = _text(error), type(error).__name__
    return f"{name}: {text}" if text else name


def _text(error: BaseException) -> str:
    try:
        # Whatever subclass of a text it is, and however long: the beginning of it, as a plain one.
        return str.__getitem__(str(error), slice(MAX_TEXT_BYTES))
    except BaseException:  # noqa: BLE001 - then its name must do
        return ""


def _delay(error: RetryLaterError) -> timedelta | None:
    delay = getattr(error, "delay", None)
    return min(delay, MAX_DELAY) if isinstance(delay, timedelta) else None


def _let_go(error: BaseException) -> None:
    """Drop the tracebacks: their frames hold all that the handler had in its hands, often in a circle."""
    pending, seen = [error], set[int]()
    while pending and len(seen) < MAX_LINKED:
        current = pending.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        current.__traceback__ = None
        pending += [linked for linked in (current.__cause__, current.__context__) if linked is not None]
        if isinstance(current, BaseExceptionGroup):
            pending += current.exceptions
