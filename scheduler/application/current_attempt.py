"""The attempt on whose behalf a handler works, carried to wherever it or a library that it uses logs something."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from scheduler.application.ports.handlers import JobContext

_attempt: ContextVar[JobContext | None] = ContextVar("attempt", default=None)


@contextmanager
def in_attempt(context: JobContext) -> Iterator[None]:
    """Let what runs inside, and the tasks and threads of handlers that it starts, belong to this attempt."""
    token = _attempt.set(context)
    try:
        yield
    finally:
        _attempt.reset(token)


def current_attempt() -> JobContext | None:
    """Return the attempt of whatever runs now; None where there is none."""
    return _attempt.get()
