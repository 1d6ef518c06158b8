"""Mutations run to their end, whoever stops waiting for them."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TypeVar

from scheduler.application.ports.telemetry import RpcTelemetry

Answer = TypeVar("Answer")
MAX_AT_ONCE = 256
MAX_BULK_AT_ONCE = 16


class Mutations:
    """Runs each mutation in a task of its own, which a client's cancel or deadline does not reach.

    Some run at once and the others wait: one whose client goes away while it waits never begins, so that calls that
    are cancelled at once do not pile up.
    """

    def __init__(self, abandoned: Callable[[BaseException], None], telemetry: RpcTelemetry) -> None:
        self._abandoned = abandoned
        self._telemetry = telemetry
        self._slots = asyncio.Semaphore(MAX_AT_ONCE)
        self._bulk_slots = asyncio.Semaphore(MAX_BULK_AT_ONCE)
        self._running: set[asyncio.Task[object]] = set()

    async def run(self, mutation: Coroutine[None, None, Answer]) -> Answer:
        """Return what the mutation returns; when the caller is cancelled, the mutation goes on without it."""
        return await self._run(mutation, self._slots)

    async def run_until_gone(self, work: Callable[[asyncio.Event], Coroutine[None, None, Answer]]) -> Answer:
        """Return what the work returns; its event is set when the caller is cancelled, so that it comes to an end."""
        gone = asyncio.Event()
        try:
            return await self._run(work(gone), self._bulk_slots)
        finally:
            gone.set()

    async def drained(self) -> None:
        """Wait until none runs; their own deadlines bound the wait."""
        while self._running:
            await asyncio.wait(self._running)

    async def _run(self, mutation: Coroutine[None, None, Answer], slots: asyncio.Semaphore) -> Answer:
        try:
            await slots.acquire()
        except asyncio.CancelledError:
            mutation.close()
            raise
        task = asyncio.create_task(mutation)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(lambda _: slots.release())
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self._telemetry.mutation_abandoned()
            task.add_done_callback(self._report)
            raise
        finally:
            # The task keeps its error, and the error's traceback this frame.
            del task, mutation

    def _report(self, task: asyncio.Task[Answer]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._abandoned(error)
