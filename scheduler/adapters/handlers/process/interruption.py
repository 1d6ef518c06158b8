"""What SIGTERM does in a handler process: the attempt's context says so, and its function is left."""

import _thread
import asyncio
import signal
import threading
from collections.abc import Coroutine
from types import FrameType


class Cancellation(threading.Event):
    """An event that a signal handler may set: the thread it interrupts may hold the event's lock."""

    def __init__(self) -> None:
        super().__init__()
        self._signalled = False

    def is_set(self) -> bool:
        """Tell whether it was set, by whichever way."""
        return self._signalled or super().is_set()

    def set_by_signal(self) -> None:
        """Set it now, and wake other threads that wait for it soon."""
        self._signalled = True
        _thread.start_new_thread(self.set, ())


class Interruption:
    """SIGTERM raises SystemExit in a plain function and CancelledError in an async one; once, for this process ends."""

    def __init__(self) -> None:
        self.happened = False
        self.cancellation = Cancellation()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[object] | None = None

    def listen(self) -> None:
        """Take the signal, which the last handler may have taken for itself."""
        signal.signal(signal.SIGTERM, self._interrupt)

    def run(self, work: Coroutine[object, object, object]) -> object:
        """Run an async function to its end, cancelled by the signal."""
        try:
            return asyncio.run(self._cancellable(work))
        finally:
            self._task = None

    async def _cancellable(self, work: Coroutine[object, object, object]) -> object:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        return await work

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        if self.happened:
            return
        self.happened = True
        self.cancellation.set_by_signal()
        if self._task is None or self._loop is None or self._task.done():
            raise SystemExit(128 + signal.SIGTERM)
        self._task.cancel()
        # Wakes the loop, as asyncio does for SIGINT.
        self._loop.call_soon_threadsafe(lambda: None)
