"""The trace to which a job belongs, as W3C Trace Context writes it (https://www.w3.org/TR/trace-context/)."""

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from scheduler.domain.ids import AttemptId

MAX_STATE_CHARS = 512
_SPAN_DIGITS = 16
_SAMPLED = 1
# Later versions may append fields; versions are two digits other than ff, and no id is all zeros.
_PARENT = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?!0{32})(?P<trace>[0-9a-f]{32})-(?!0{16})(?P<span>[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)
_STATE = re.compile(r"[ -~\t]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceContext:
    """One span of a trace, and what the systems of the trace want to be handed on."""

    trace_id: str
    """32 lower-case hexadecimal digits."""
    span_id: str
    """16 of them."""
    flags: int = _SAMPLED
    """The lowest bit says that the trace is recorded."""
    state: str = ""
    """The header tracestate, as it came."""

    @classmethod
    def parse(cls, traceparent: str, tracestate: str = "") -> Self | None:
        """Read the two headers; None for a traceparent that is none, while a tracestate that is none is left out."""
        found = _PARENT.fullmatch(traceparent)
        if found is None or (found["version"] == "00" and found["more"]):
            return None
        state = tracestate if len(tracestate) <= MAX_STATE_CHARS and _STATE.fullmatch(tracestate) else ""
        return cls(trace_id=found["trace"], span_id=found["span"], flags=int(found["flags"], 16), state=state)

    @classmethod
    def of_attempt(cls, attempt_id: AttemptId) -> Self:
        """Make one for a job that came without: a trace for the job, and in it a span for each attempt."""
        digest = sha256(f"{attempt_id.job_id} {attempt_id.fence}".encode()).hexdigest()
        return cls(trace_id=attempt_id.job_id.hex, span_id=digest[:_SPAN_DIGITS])

    @property
    def traceparent(self) -> str:
        """Return the header traceparent."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"

    @property
    def is_sampled(self) -> bool:
        """Tell whether whoever began the trace records it."""
        return bool(self.flags & _SAMPLED)
