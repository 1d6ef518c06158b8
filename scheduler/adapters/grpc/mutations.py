"""Mutations run to their end, whoever stops waiting for them."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TypeVar

Answer = TypeVar("Answer")


class Mutations:
    """Runs each mutation in a task of its own, which a client's cancel or deadline does not reach."""

    def __init__(self, abandoned: Callable[[BaseException], None]) -> None:
        self._abandoned = abandoned
        self._running: set[asyncio.Task[object]] = set()

    async def run(self, mutation: Coroutine[None, None, Answer]) -> Answer:
        """Return what the mutation returns; when the caller is cancelled, the mutation goes on without it."""
        task = asyncio.create_task(mutation)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(self._report)
            raise

    async def run_until_gone(self, work: Callable[[asyncio.Event], Coroutine[None, None, Answer]]) -> Answer:
        """Return what the work returns; its event is set when the caller is cancelled, so that it comes to an end."""
        gone = asyncio.Event()
        try:
            return await self.run(work(gone))
        finally:
            gone.set()

    async def drained(self) -> None:
        """Wait until none runs; their own deadlines bound the wait."""
        while self._running:
            await asyncio.wait(self._running)

    def _report(self, task: asyncio.Task[Answer]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._abandoned(error)
