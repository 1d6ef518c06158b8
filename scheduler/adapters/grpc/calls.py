"""The calls that are in flight: each is measured, and each ends in a way that a client can act upon."""

import asyncio
from time import perf_counter
from types import TracebackType
from typing import Generic, TypeVar

import grpc.aio

from scheduler.adapters.grpc.faults import CallFaults
from scheduler.application.ports.telemetry import RpcTelemetry

Request = TypeVar("Request")
Response = TypeVar("Response")
Context = grpc.aio.ServicerContext[Request, Response]


class Calls:
    """Knows how many calls are in flight, and whom to tell when one ends."""

    def __init__(self, *, telemetry: RpcTelemetry, faults: CallFaults) -> None:
        self._telemetry = telemetry
        self.faults = faults
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def began(self) -> None:
        """Count a call in."""
        self._in_flight += 1
        self._idle.clear()

    def ended(self, method: str, status: str, seconds: float) -> None:
        """Count a call out."""
        self._in_flight -= 1
        if not self._in_flight:
            self._idle.set()
        self._telemetry.rpc_ended(method, status, seconds)

    async def idle(self) -> None:
        """Wait until no call is in flight."""
        await self._idle.wait()


class Call(Generic[Request, Response]):
    """One call, while inside. What its handler raises becomes a status; a client's own cancel passes as it is."""

    __slots__ = ("_calls", "_context", "_method", "_started")

    def __init__(self, calls: Calls, method: str, context: Context[Request, Response]) -> None:
        self._calls = calls
        self._method = method
        self._context = context
        self._started = perf_counter()

    async def __aenter__(self) -> None:
        self._calls.began()

    async def __aexit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if error is None:
            self._ended("OK")
        elif isinstance(error, grpc.aio.AbortError):
            self._ended(self._context.code().name)
        elif _is_passing(error):
            self._ended(self._cancelled_as())
        else:
            await self._refuse(error)

    async def _refuse(self, error: BaseException) -> None:
        refusal = self._calls.faults.refusal(self._method, error)
        self._ended(refusal.code.name)
        await self._context.abort_with_status(refusal.to_status())

    def _cancelled_as(self) -> str:
        remaining: float | None = self._context.time_remaining()
        return "CANCELLED" if remaining is None or remaining > 0 else "DEADLINE_EXCEEDED"

    def _ended(self, status: str) -> None:
        self._calls.ended(self._method, status, perf_counter() - self._started)


def _is_passing(error: BaseException) -> bool:
    """Tell whether no answer is due: the call itself was cancelled (its client knows), or the process ends."""
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        # A handler that raises CancelledError though nobody cancelled it would leave its client without any status.
        return task is not None and task.cancelling() > 0
    return not isinstance(error, Exception)
