"""Calls whose request is still on its way: each holds a place that others need."""

import asyncio
from typing import TypeVar, cast

import grpc
import grpc.aio

from scheduler.application.ports.telemetry import RpcTelemetry

ARRIVAL_SECONDS = 10.0
SWEEP_SECONDS = 1.0

Response = TypeVar("Response")


class Arrivals:
    """Receives requests, and ends the calls whose request does not come in time."""

    def __init__(self, telemetry: RpcTelemetry) -> None:
        self._telemetry = telemetry
        self._awaited: dict[asyncio.Task[object], float] = {}
        self._late: set[asyncio.Task[object]] = set()
        self._sweeps = False

    async def request(self, context: grpc.aio.ServicerContext[bytes, Response]) -> bytes:
        """Return the request of the current task's call, or abort the call."""
        task = cast("asyncio.Task[object]", asyncio.current_task())
        self._await(task)
        try:
            data: object = await context.read()
        except asyncio.CancelledError:
            if task not in self._late:
                raise
            task.uncancel()
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "the request did not arrive in time")
        finally:
            self._awaited.pop(task, None)
            self._late.discard(task)
        if not isinstance(data, bytes):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the call ended without a request")
        return data

    def _await(self, task: asyncio.Task[object]) -> None:
        loop = asyncio.get_running_loop()
        self._awaited[task] = loop.time() + ARRIVAL_SECONDS
        if not self._sweeps:
            self._sweeps = True
            loop.call_later(SWEEP_SECONDS, self._sweep, loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for task, until in tuple(self._awaited.items()):
            if until <= now and task not in self._late:
                self._late.add(task)
                self._telemetry.limited("request arrival")
                task.cancel()
        self._sweeps = bool(self._awaited)
        if self._sweeps:
            loop.call_later(SWEEP_SECONDS, self._sweep, loop)
