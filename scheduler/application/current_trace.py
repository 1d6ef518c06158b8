"""The trace on whose behalf something is done, carried to wherever it is logged or handed on."""

from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from types import TracebackType

from scheduler.domain.trace import TraceContext

_trace: ContextVar[TraceContext | None] = ContextVar("trace", default=None)


class _InTrace(AbstractContextManager[None]):
    """A class, for a generator takes four times as long, and every attempt is twice in it."""

    __slots__ = ("_token", "_trace")
    _token: Token[TraceContext | None]

    def __init__(self, trace: TraceContext | None) -> None:
        self._trace = trace

    def __enter__(self) -> None:
        self._token = _trace.set(self._trace)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _trace.reset(self._token)


def in_trace(trace: TraceContext | None) -> AbstractContextManager[None]:
    """Let what runs inside, and the tasks that it starts, belong to this trace."""
    return _InTrace(trace)


def current_trace() -> TraceContext | None:
    """Return the trace of whatever runs now; None where there is none."""
    return _trace.get()
