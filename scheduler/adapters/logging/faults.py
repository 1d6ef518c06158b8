"""Faults that were met and survived, as log lines."""

from datetime import timedelta
from threading import Lock

from structlog.typing import FilteringBoundLogger

from scheduler.application.ports.clock import Clock
from scheduler.application.ports.telemetry import FaultTelemetry
from scheduler.domain.errors import SchedulerError

QUIET_SECONDS = 1.0
MAX_ERROR_CHARS = 500


class LoggedFaults(FaultTelemetry):
    """Logs each event at most once a second, with the number of those left out, and passes all on to `following`.

    A fault that we know is one line; a surprise comes with its traceback. Called from several threads.
    """

    def __init__(self, log: FilteringBoundLogger, *, clock: Clock, following: FaultTelemetry) -> None:
        self._log = log
        self._clock = clock
        self._following = following
        self._lock = Lock()
        self._quiet_until: dict[str, float] = {}
        self._left_out: dict[str, int] = {}
        self._degraded: set[str] = set()

    def fault(self, event: str, error: BaseException, *, retry_in: timedelta | None = None) -> None:
        """Log it unless the same event was logged within the last second."""
        self._following.fault(event, error, retry_in=retry_in)
        left_out = self._take_turn(event)
        if left_out is None:
            return
        fields: dict[str, object] = {"error_type": type(error).__name__, "error": str(error)[:MAX_ERROR_CHARS]}
        if retry_in is not None:
            fields["retry_in_seconds"] = retry_in.total_seconds()
        if left_out:
            fields["left_out"] = left_out
        if isinstance(error, SchedulerError | OSError):
            self._log.warning(event, **fields)
        else:
            self._log.error(event, exc_info=error, **fields)

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

    def _take_turn(self, event: str) -> int | None:
        """Return how many faults of that event were left out before this one, or None when it is left out itself."""
        now = self._clock.monotonic()
        with self._lock:
            if now < self._quiet_until.get(event, now):
                self._left_out[event] = self._left_out.get(event, 0) + 1
                return None
            self._quiet_until[event] = now + QUIET_SECONDS
            return self._left_out.pop(event, 0)
