"""Whether Redis can be used right now."""

from datetime import timedelta

from scheduler.adapters.redis.server import RedisServer
from scheduler.application.deadline import time_limit
from scheduler.application.errors import QueueUnavailableError
from scheduler.application.ports.clock import Clock
from scheduler.application.ports.health import Dependency, DependencyStatus

_PROBE_SECONDS = 2.0


class RedisHealth(Dependency):
    """Tells whether Redis takes writes: a full server and a replica answer, and are of no use."""

    def __init__(self, server: RedisServer, clock: Clock) -> None:
        self._server = server
        self._clock = clock

    async def check(self) -> DependencyStatus:
        """Probe, unless the circuit breaker knows that it is too soon; a good probe closes it."""
        started = self._clock.monotonic()
        detail = ""
        try:
            with time_limit(_PROBE_SECONDS):
                await self._server.try_writing()
        except QueueUnavailableError as error:
            detail = str(error)
        latency = timedelta(seconds=self._clock.monotonic() - started)
        return DependencyStatus(name="redis", ok=not detail, required=False, latency=latency, detail=detail)
