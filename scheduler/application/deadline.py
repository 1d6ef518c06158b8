"""The caller's deadline, carried to wherever time is spent on its behalf."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

DEFAULT_SECONDS = 10.0
_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Give what runs inside at most `seconds`, counted from now; it replaces any earlier limit."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def remaining_seconds() -> float:
    """Return the seconds that are left to the caller, or DEFAULT_SECONDS where nobody set a limit."""
    deadline = _deadline.get()
    return DEFAULT_SECONDS if deadline is None else max(0.0, deadline - time.monotonic())
