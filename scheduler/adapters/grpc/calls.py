"""Calls in flight: each is measured, and each ends in a way that its client can act upon."""

import asyncio
from dataclasses import dataclass
from time import perf_counter
from types import TracebackType
from typing import Generic, TypeVar

import grpc.aio

from scheduler.adapters.grpc.faults import CallFaults
from scheduler.application.ports.telemetry import RpcTelemetry

Request = TypeVar("Request")
Response = TypeVar("Response")
Context = grpc.aio.ServicerContext[Request, Response]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallServices:
    """Whom to tell how calls end."""

    telemetry: RpcTelemetry
    faults: CallFaults


class Call(Generic[Request, Response]):
    """One call, while inside. What its handler raises becomes a status; a client's own cancel passes as it is."""

    __slots__ = ("_context", "_method", "_services", "_started")

    def __init__(self, services: CallServices, method: str, context: Context[Request, Response]) -> None:
        self._services = services
        self._method = method
        self._context = context
        self._started = perf_counter()

    async def __aenter__(self) -> None:
        pass

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
        refusal = self._services.faults.refusal(self._method, error)
        self._ended(refusal.code.name)
        await self._context.abort_with_status(refusal.to_status())

    def _cancelled_as(self) -> str:
        remaining: float | None = self._context.time_remaining()
        return "CANCELLED" if remaining is None or remaining > 0 else "DEADLINE_EXCEEDED"

    def _ended(self, status: str) -> None:
        self._services.telemetry.rpc_ended(self._method, status, perf_counter() - self._started)


def _is_passing(error: BaseException) -> bool:
    """Tell whether no answer is due: the call itself was cancelled (its client knows), or the process ends."""
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        # A handler that raises CancelledError though nobody cancelled it would leave its client without any status.
        return task is not None and task.cancelling() > 0
    return not isinstance(error, Exception)
