"""The trace on whose behalf something is done, carried to wherever it is logged or handed on."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from scheduler.domain.trace import TraceContext

_trace: ContextVar[TraceContext | None] = ContextVar("trace", default=None)


@contextmanager
def in_trace(trace: TraceContext | None) -> Iterator[None]:
    """Let what runs inside, and the tasks that it starts, belong to this trace."""
    token = _trace.set(trace)
    try:
        yield
    finally:
        _trace.reset(token)


def current_trace() -> TraceContext | None:
    """Return the trace of whatever runs now; None where there is none."""
    return _trace.get()
