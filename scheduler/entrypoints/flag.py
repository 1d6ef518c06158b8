"""An event that a signal handler may set."""

from contextlib import suppress
from queue import Empty, SimpleQueue


class Flag:
    """Set by signal handlers and threads, waited for by one thread.

    threading.Event is not for signal handlers: one may interrupt this very thread while it holds the event's lock, and
    then waits for ever. SimpleQueue.put() may be interrupted by itself.
    """

    def __init__(self) -> None:
        self._is_set = False
        self._wakes: SimpleQueue[None] = SimpleQueue()

    def is_set(self) -> bool:
        """Tell whether it is set."""
        return self._is_set

    def set(self) -> None:
        """Set it, and wake who waits."""
        self._is_set = True
        self._wakes.put(None)

    def clear(self) -> None:
        """Take it back."""
        self._is_set = False

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it is set, at most so long if that is said; tell whether it is."""
        if not self._is_set:
            with suppress(Empty):
                self._wakes.get(timeout=seconds)
        return self._is_set
