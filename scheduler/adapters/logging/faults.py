"""Faults that were met and survived, as log lines."""

import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock

from structlog.typing import FilteringBoundLogger

from scheduler.application.ports.clock import Clock
from scheduler.application.ports.telemetry import FaultTelemetry
from scheduler.domain.errors import SchedulerError

QUIET_SECONDS = 1.0
LONGEST_QUIET_SECONDS = 30.0
CALM_SECONDS = 10.0
"""A fault that was away for so long is news."""
MAX_ERROR_CHARS = 500


@dataclass(slots=True)
class _Kind:
    """What is known of the faults of one event and one type."""

    quiet_until: float = -math.inf
    quiet_seconds: float = QUIET_SECONDS
    seen_at: float = -math.inf
    left_out: int = 0

    def take_turn(self, now: float) -> int | None:
        """Return how many were left out before this one, or None when it is left out itself."""
        if now - self.seen_at > CALM_SECONDS:
            self.quiet_seconds = QUIET_SECONDS
        self.seen_at = now
        if now < self.quiet_until:
            self.left_out += 1
            return None
        self.quiet_until = now + self.quiet_seconds
        self.quiet_seconds = min(LONGEST_QUIET_SECONDS, self.quiet_seconds * 2)
        left_out, self.left_out = self.left_out, 0
        return left_out


class LoggedFaults(FaultTelemetry):
    """Logs faults of one kind at most once a second, less and less often while they go on, and counts those left out.

    A fault that we know is one line. A surprise comes with its traceback, and is never left out: of those that follow
    only the traceback is. Passes all on to `following`. Called from several threads.
    """

    def __init__(self, log: FilteringBoundLogger, *, clock: Clock, following: FaultTelemetry) -> None:
        self._log = log
        self._clock = clock
        self._following = following
        self._lock = Lock()
        self._kinds: defaultdict[tuple[str, type[BaseException]], _Kind] = defaultdict(_Kind)
        self._degraded: set[str] = set()

    def fault(self, event: str, error: BaseException, *, retry_in: timedelta | None = None) -> None:
        """Log it, unless it is known and the same was logged a moment ago."""
        self._following.fault(event, error, retry_in=retry_in)
        with self._lock:
            left_out = self._kinds[event, type(error)].take_turn(self._clock.monotonic())
        fields: dict[str, object] = {"error_type": type(error).__name__, "error": str(error)[:MAX_ERROR_CHARS]}
        if retry_in is not None:
            fields["retry_in_seconds"] = retry_in.total_seconds()
        if not isinstance(error, SchedulerError | OSError):
            self._log.error(event, exc_info=None if left_out is None else error, **fields)
        elif left_out is not None:
            self._log.warning(event, **fields, **({"left_out": left_out} if left_out else {}))

    def degraded(self, part: str, *, is_degraded: bool) -> None:
        """Log the change; being told the same again is none."""
        self._following.degraded(part, is_degraded=is_degraded)
        with self._lock:
            if (part in self._degraded) == is_degraded:
                return
            self._degraded ^= {part}
        if is_degraded:
            self._log.warning("degraded", part=part)
        else:
            self._log.info("recovered", part=part)
