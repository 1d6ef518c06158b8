"""Concurrent requests share one write: whatever arrives while writes are in flight goes out together in the next."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from scheduler.application.current_trace import current_trace
from scheduler.application.errors import OverloadedError, StoreRejectedError
from scheduler.application.ports.tracing import Tracing
from scheduler.application.untraced import UNTRACED
from scheduler.domain.errors import SchedulerError
from scheduler.domain.trace import TraceContext

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class FlushLimits:
    """How much one flush holds, how many go on at once, and how many bytes may wait for one."""

    rows: int = 1000
    size: int = 4 * 1024 * 1024
    in_flight: int = 2
    waiting_size: int = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Request(Generic[Item, Result]):
    items: Sequence[Item]
    size: int
    reply: "asyncio.Future[Result]"
    trace: TraceContext | None


class GroupCommit(Generic[Item, Result]):
    """Flushes requests in arrival order. No timer: an idle group adds no latency. A request is never split.

    `flush` gets the items of several requests and returns one result or error for each. When it raises
    StoreRejectedError the flush is repeated in halves, until the culprit stands alone; any other error goes to all.
    """

    def __init__(
        self,
        flush: Callable[[Sequence[Sequence[Item]]], Awaitable[Sequence[Result | SchedulerError]]],
        *,
        size_of: Callable[[Item], int],
        limits: FlushLimits,
        name: str = "flush",
        tracing: Tracing = UNTRACED,
    ) -> None:
        self._flush = flush
        self._size_of = size_of
        self._limits = limits
        self._name = name
        self._tracing = tracing
        self._waiting: deque[_Request[Item, Result]] = deque()
        self._waiting_size = 0
        self._pumping = 0
        self._pumps: set[asyncio.Task[None]] = set()

    async def commit(self, items: Sequence[Item]) -> Result:
        """Return the request's result once its flush has ended; a cancelled caller does not cancel the flush."""
        size = sum(map(self._size_of, items))
        if self._waiting and self._waiting_size + size > self._limits.waiting_size:
            raise OverloadedError
        reply: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        request = _Request(items, size, reply, current_trace())
        self._waiting.append(request)
        self._waiting_size += size
        self._start_pump()
        try:
            return await reply
        finally:
            # An error would keep its traceback, that this frame, and the frame the reply, which keeps the error.
            del reply, request

    def _start_pump(self) -> None:
        if self._pumping < self._limits.in_flight:
            self._pumping += 1
            pump = asyncio.create_task(self._pump())
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self) -> None:
        try:
            while batch := self._take():
                await self._flush_or_halve(batch)
        finally:
            # In the step that found nothing waiting: what arrives from now on must start a pump of its own.
            self._pumping -= 1

    def _take(self) -> list[_Request[Item, Result]]:
        batch: list[_Request[Item, Result]] = []
        rows = size = 0
        while self._waiting:
            request = self._waiting[0]
            rows += len(request.items)
            size += request.size
            if batch and (rows > self._limits.rows or size > self._limits.size):
                break
            batch.append(self._waiting.popleft())
            self._waiting_size -= request.size
        return batch

    async def _flush_or_halve(self, batch: Sequence[_Request[Item, Result]]) -> None:
        try:
            with self._tracing.batch(self._name, [request.trace for request in batch]):
                results = await self._flush([request.items for request in batch])
        except StoreRejectedError as error:
            if len(batch) == 1:
                _settle(batch[0], error)
                return
            middle = len(batch) // 2
            await self._flush_or_halve(batch[:middle])
            await self._flush_or_halve(batch[middle:])
        except Exception as error:  # noqa: BLE001 - every caller must get an answer, whatever went wrong
            for request in batch:
                _settle(request, error)
        else:
            for request, result in zip(batch, results, strict=True):
                _settle(request, result)


def byte_length(text: str) -> int:
    """Return the length in UTF-8, which is what a statement carries."""
    return len(text) if text.isascii() else len(text.encode())


def _settle(request: _Request[Item, Result], result: Result | Exception) -> None:
    if request.reply.done():
        return
    if isinstance(result, Exception):
        request.reply.set_exception(result)
    else:
        request.reply.set_result(result)
