"""The handler processes of a worker: started on demand, used again, ended in time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Self

from scheduler.adapters.handlers.process.handler_process import HandlerProcess
from scheduler.adapters.handlers.process.protocol import Outcome, Request
from scheduler.application.ports.handlers import JobContext
from scheduler.application.ports.telemetry import HandlerProcessTelemetry, ProcessEnd

UNKILLABLE_SECONDS = 1.0
"""How long a killed process may take to be gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLimits:
    """When a process is used no longer."""

    attempts: int = 200
    megabytes: int = 1024
    """Looked at after each attempt; what one may take is for the system to limit."""
    idle: timedelta = timedelta(seconds=60)
    grace: timedelta = timedelta(seconds=5)
    """From SIGTERM to SIGKILL."""


class ProcessPool:
    """Has a process for each attempt that runs, and those that wait for the next. Lives on one event loop."""

    def __init__(self, *, telemetry: HandlerProcessTelemetry, limits: PoolLimits | None = None) -> None:
        self._telemetry = telemetry
        self._limits = limits or PoolLimits()
        self._alive: set[HandlerProcess] = set()
        self._idle: dict[HandlerProcess, asyncio.TimerHandle] = {}
        self._starting: set[asyncio.Task[HandlerProcess]] = set()
        self._ending: dict[HandlerProcess, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def run(self, request: Request, context: JobContext) -> Outcome:
        """Run an attempt; when cancelled, let go at once and end the process meanwhile."""
        process = await self._take()
        try:
            outcome = await process.perform(request, context)
        except asyncio.CancelledError:
            self._end(process, ProcessEnd.KILLED)
            self._when_gone(process, context.leave_running())
            raise
        except BaseException:
            self._end(process, ProcessEnd.CRASHED)
            raise
        if process.attempts >= self._limits.attempts or self._took_too_much(outcome):
            self._end(process, ProcessEnd.RECYCLED)
        else:
            self._keep(process)
        return outcome

    async def close(self) -> None:
        """End all processes; takes hardly longer than their grace."""
        if self._starting:
            await asyncio.wait(self._starting)
        for process in self._alive:
            self._end(process, ProcessEnd.IDLE if process in self._idle else ProcessEnd.KILLED)
        if self._ending:
            seconds = self._limits.grace.total_seconds() + UNKILLABLE_SECONDS
            await asyncio.wait(self._ending.values(), timeout=seconds)

    def _took_too_much(self, outcome: Outcome) -> bool:
        return outcome.megabytes > self._limits.megabytes or outcome.leaks

    async def _take(self) -> HandlerProcess:
        while self._idle:
            process, timer = self._idle.popitem()
            timer.cancel()
            if process.usable:
                return process
            self._end(process, ProcessEnd.CRASHED)
        return await self._started()

    async def _started(self) -> HandlerProcess:
        """Start a process; when cancelled, let it be there for the next attempt."""
        starting = asyncio.create_task(self._start())
        self._starting.add(starting)
        starting.add_done_callback(self._starting.discard)
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(self._keep_started)
            raise

    async def _start(self) -> HandlerProcess:
        process = await HandlerProcess.start()
        process.silence.add_done_callback(lambda _: self._end_idle(process))
        self._alive.add(process)
        self._telemetry.handler_processes(len(self._alive))
        return process

    def _keep_started(self, starting: asyncio.Task[HandlerProcess]) -> None:
        if not starting.cancelled() and starting.exception() is None:
            self._keep(starting.result())

    def _keep(self, process: HandlerProcess) -> None:
        if process in self._alive and process not in self._ending:
            seconds = self._limits.idle.total_seconds()
            self._idle[process] = asyncio.get_running_loop().call_later(seconds, self._end, process, ProcessEnd.IDLE)

    def _end_idle(self, process: HandlerProcess) -> None:
        """Note that a process ended by itself that had nothing to do; of all others somebody hears."""
        if process in self._idle:
            self._end(process, ProcessEnd.CRASHED)

    def _end(self, process: HandlerProcess, how: ProcessEnd) -> None:
        """End a process, once, while others go on."""
        timer = self._idle.pop(process, None)
        if timer is not None:
            timer.cancel()
        if process in self._alive and process not in self._ending:
            self._ending[process] = asyncio.create_task(self._see_off(process, how))

    def _when_gone(self, process: HandlerProcess, tell: Callable[[], None]) -> None:
        ending = self._ending.get(process)
        if ending is None:
            tell()
        else:
            ending.add_done_callback(lambda _: tell())

    async def _see_off(self, process: HandlerProcess, how: ProcessEnd) -> None:
        grace = 0.0 if how is ProcessEnd.CRASHED else self._limits.grace.total_seconds()
        try:
            await process.end(grace=grace, by_signal=how is ProcessEnd.KILLED)
        finally:
            self._alive.discard(process)
            del self._ending[process]
            self._telemetry.handler_process_ended(how)
            self._telemetry.handler_processes(len(self._alive))
