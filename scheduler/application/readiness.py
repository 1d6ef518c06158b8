"""Whether this process can serve: one answer for HTTP and gRPC health, however often they ask."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from scheduler.application.ports.clock import Clock
from scheduler.application.ports.health import Dependency, DependencyStatus
from scheduler.application.ports.telemetry import DependencyTelemetry
from scheduler.application.unobserved import UNOBSERVED

MAX_AGE = timedelta(seconds=1)
TIME_LIMIT = timedelta(seconds=2.5)
"""Above what the port allows a dependency, so that its own, better answer wins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """What was found: `ready` lacks no required dependency, `degraded` lacks another one."""

    ready: bool
    degraded: bool
    stopping: bool
    dependencies: Sequence[DependencyStatus]


STOPPING = Readiness(ready=False, degraded=False, stopping=True, dependencies=())


class ReadinessCheck:
    """Probes all dependencies at once; within a second everybody gets the same answer, from one probe."""

    def __init__(
        self,
        *,
        dependencies: Sequence[Dependency],
        clock: Clock,
        telemetry: DependencyTelemetry = UNOBSERVED,
        max_age: timedelta = MAX_AGE,
        time_limit: timedelta = TIME_LIMIT,
    ) -> None:
        self._dependencies = dependencies
        self._clock = clock
        self._telemetry = telemetry
        self._max_age = max_age.total_seconds()
        self._time_limit = time_limit
        self._lock = asyncio.Lock()
        self._last: tuple[float, Readiness] | None = None
        self._known: dict[int, DependencyStatus] = {}
        self._stopping = False

    def withdraw(self) -> None:
        """Answer "not ready" from now on: this process stops."""
        self._stopping = True

    async def check(self) -> Readiness:
        """Return the state of all dependencies, at most `max_age` old."""
        async with self._lock:
            await self._refresh()
        # Whoever waited while the process began to stop learns it too.
        return STOPPING if self._stopping or self._last is None else self._last[1]

    async def _refresh(self) -> None:
        if not self._stopping and self._outdated():
            found = await self._probe_all()
            self._last = (self._clock.monotonic(), found)

    def _outdated(self) -> bool:
        return self._last is None or self._clock.monotonic() - self._last[0] >= self._max_age

    async def _probe_all(self) -> Readiness:
        async with asyncio.TaskGroup() as group:
            probes = [group.create_task(self._probe(number)) for number in range(len(self._dependencies))]
        found = [probe.result() for probe in probes]
        for status in found:
            self._telemetry.dependency(status.name, ok=status.ok)
        return Readiness(
            ready=all(status.ok for status in found if status.required),
            degraded=any(not status.ok for status in found if not status.required),
            stopping=False,
            dependencies=found,
        )

    async def _probe(self, number: int) -> DependencyStatus:
        try:
            async with asyncio.timeout(self._time_limit.total_seconds()):
                status = await self._dependencies[number].check()
        except TimeoutError:
            return self._silent(number)
        self._known[number] = status
        return status

    def _silent(self, number: int) -> DependencyStatus:
        """Describe a dependency that broke its time limit by what is known of it from earlier answers."""
        known = self._known.get(number)
        return DependencyStatus(
            name=known.name if known else type(self._dependencies[number]).__name__,
            ok=False,
            required=known.required if known else True,
            latency=self._time_limit,
            detail="no answer in time",
        )
