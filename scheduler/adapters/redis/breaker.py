"""The circuit breaker: while Redis is away, calls fail at once instead of waiting for it."""

from dataclasses import dataclass
from datetime import timedelta

from scheduler.application.errors import QueueUnavailableError
from scheduler.application.ports.clock import Clock
from scheduler.application.ports.randomness import Randomness
from scheduler.application.ports.telemetry import FaultTelemetry, QueueTelemetry
from scheduler.application.unobserved import UNOBSERVED

MIN_PAUSE_SECONDS = 0.5
PAUSE_SPREAD_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class _Open:
    reason: QueueUnavailableError
    retry_at: float


class CircuitBreaker:
    """Opens at the first failure. After 0.5 to 1 s it lets one call through, and what becomes of that one decides."""

    def __init__(
        self,
        *,
        clock: Clock,
        randomness: Randomness,
        faults: FaultTelemetry,
        telemetry: QueueTelemetry = UNOBSERVED,
    ) -> None:
        self._clock = clock
        self._randomness = randomness
        self._faults = faults
        self._telemetry = telemetry
        self._open: _Open | None = None
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Tell whether Redis counts as away."""
        return self._open is not None

    def admit(self) -> bool:
        """Let a call through or raise QueueUnavailableError; True makes the call the probe."""
        if self._open is None:
            return False
        wait = self._open.retry_at - self._clock.monotonic()
        if self._probing or wait > 0:
            retry_after = timedelta(seconds=max(wait, 0.0))
            raise QueueUnavailableError(f"not tried since {self._open.reason}", retry_after) from self._open.reason
        self._probing = True
        return True

    def succeeded(self) -> None:
        """Note that Redis did what it was asked: it is back."""
        self._probing = False
        if self._open is not None:
            self._open = None
            self._faults.degraded("queue", is_degraded=False)
            self._telemetry.breaker(is_open=False)

    def failed(self, reason: QueueUnavailableError) -> None:
        """Note that Redis is away."""
        was_open = self.is_open
        pause = MIN_PAUSE_SECONDS + PAUSE_SPREAD_SECONDS * self._randomness.draw()
        self._probing = False
        self._open = _Open(reason, self._clock.monotonic() + pause)
        if not was_open:
            self._faults.fault("queue_unavailable", reason, retry_in=timedelta(seconds=pause))
            self._faults.degraded("queue", is_degraded=True)
            self._telemetry.breaker(is_open=True)

    def abandoned(self, *, probe: bool) -> None:
        """Note that a call ended without telling anything; after a probe, the next call may try."""
        if probe:
            self._probing = False
