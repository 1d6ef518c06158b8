"""The trace of a call, in its metadata: the headers of W3C Trace Context."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from scheduler.domain.trace import TraceContext

_PARENT, _STATE = "traceparent", "tracestate"


class HasMetadata(Protocol):
    """A call, of which only the metadata are wanted."""

    def invocation_metadata(self) -> Iterable[tuple[str, str | bytes]] | None:
        """Return what the caller sent beside the request."""


def read_trace(call: HasMetadata) -> TraceContext | None:
    """Return the caller's trace; None when it names none, or not one."""
    parents: list[str] = []
    states: list[str] = []
    for key, value in call.invocation_metadata() or ():
        if isinstance(value, str) and key in {_PARENT, _STATE}:
            (parents if key == _PARENT else states).append(value)
    return TraceContext.parse(parents[0], ",".join(states)) if len(parents) == 1 else None


def write_trace(trace: TraceContext | None) -> Sequence[tuple[str, str]]:
    """Return the metadata by which a call tells its trace."""
    if trace is None:
        return ()
    headers = ((_PARENT, trace.traceparent),)
    return (*headers, (_STATE, trace.state)) if trace.state else headers
