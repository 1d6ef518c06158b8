"""Calls in flight: each is measured, and each ends in a way that its client can act upon."""

import asyncio
from dataclasses import dataclass
from time import perf_counter
from types import TracebackType
from typing import Generic, Self, TypeVar

import grpc.aio

from scheduler.adapters.grpc.answers import UnreadAnswers
from scheduler.adapters.grpc.faults import CallFaults
from scheduler.adapters.grpc.large_requests import LargeRequests
from scheduler.adapters.grpc.limits import Cap
from scheduler.application.errors import ServerStoppingError
from scheduler.application.ports.telemetry import RpcTelemetry
from scheduler.application.ports.tracing import CallSpan, Tracing

Request = TypeVar("Request")
Response = TypeVar("Response")
Context = grpc.aio.ServicerContext[Request, Response]


class CallsInFlight:
    """The calls of a server. A server that stops ends them itself: gRPC would tell their clients CANCELLED."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()
        self._aborted: set[asyncio.Task[object]] = set()
        self._aborting = False

    def abort(self) -> None:
        """End each call, now and later, with UNAVAILABLE: its client may go elsewhere."""
        self._aborting = True
        for task in tuple(self._tasks):
            self._abort(task)

    def enter(self) -> None:
        """Note that the current task serves a call."""
        if (task := asyncio.current_task()) is not None:
            self._tasks.add(task)
            if self._aborting:
                self._abort(task)

    def leave(self) -> bool:
        """Note that the current task serves none any more; tell whether its call was aborted."""
        task = asyncio.current_task()
        if task is None:
            return False
        self._tasks.discard(task)
        aborted = task in self._aborted
        self._aborted.discard(task)
        if aborted:
            task.uncancel()
        return aborted

    def _abort(self, task: asyncio.Task[object]) -> None:
        if task not in self._aborted:
            self._aborted.add(task)
            task.cancel()


@dataclass(frozen=True, slots=True, kw_only=True)
class CallServices:
    """Whom to tell how calls begin and end, and what all calls share."""

    telemetry: RpcTelemetry
    faults: CallFaults
    in_flight: CallsInFlight
    tracing: Tracing
    large: LargeRequests
    answers: UnreadAnswers
    watches: Cap


class Call(Generic[Request, Response]):
    """One call, while inside. What its handler raises becomes a status; a client's own cancel passes as it is."""

    __slots__ = ("_context", "_method", "_services", "_span", "_started", "peer")

    def __init__(
        self, services: CallServices, method: str, context: Context[Request, Response], span: CallSpan
    ) -> None:
        self._services = services
        self._method = method
        self._context = context
        self._span = span
        self.peer = context.peer()  # gRPC forgets it when the client ends the call
        self._started = perf_counter()

    async def __aenter__(self) -> Self:
        self._services.in_flight.enter()
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        aborted = self._services.in_flight.leave()
        if error is None:
            self._ended("OK")
        elif aborted and isinstance(error, asyncio.CancelledError):
            await self._refuse(ServerStoppingError())
        elif isinstance(error, grpc.aio.AbortError):
            self._ended(self._context.code().name)
        elif _is_passing(error):
            self._ended(self._cancelled_as())
        else:
            await self._refuse(error)

    async def _refuse(self, error: BaseException) -> None:
        refusal = self._services.faults.refusal(self._method, error)
        self._ended(refusal.code.name, error)
        await self._context.abort_with_status(refusal.to_status())

    def _cancelled_as(self) -> str:
        remaining: float | None = self._context.time_remaining()
        return "CANCELLED" if remaining is None or remaining > 0 else "DEADLINE_EXCEEDED"

    def _ended(self, status: str, error: BaseException | None = None) -> None:
        self._span.answered(status, error)
        seconds = perf_counter() - self._started
        self._services.telemetry.rpc_ended(self._method, status, seconds, peer=self.peer)


def _is_passing(error: BaseException) -> bool:
    """Tell whether no answer is due: the call itself was cancelled (its client knows), or the process ends."""
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        # A handler that raises CancelledError though nobody cancelled it would leave its client without any status.
        return task is not None and task.cancelling() > 0
    return not isinstance(error, Exception)
