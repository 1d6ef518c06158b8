"""A thread that sees when the loops of this process stand still, also when one of them is its event loop.

Where native code keeps the interpreter's lock (the GIL), not even this thread runs; then the process ends.
"""

import faulthandler
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType

import structlog

from scheduler.application.ports.health import Progress
from scheduler.entrypoints.log_level import STDERR

CHECK_SECONDS = 1.0
LOOPING_THREADS = ("MainThread", "lease")
MAX_FRAMES = 8
GIL_SECONDS = 60.0
"""So long no thread may run before the process prints where its threads stand and ends, with exit code 1."""


class StallReports:
    """Logs which loops are stuck and where their threads stand, once for each change."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._known: Sequence[str] = []

    def look(self) -> None:
        """Look once."""
        stuck = self._progress.stuck()
        if stuck == self._known:
            return
        self._known = stuck
        log = structlog.get_logger("scheduler")
        if stuck:
            log.error("process_stuck", loops=list(stuck), stacks=_stacks())
        else:
            log.info("process_recovered")

    def run(self, ended: threading.Event) -> None:
        """Look every second until the event is set."""
        try:
            while not ended.wait(CHECK_SECONDS):
                self.look()
                # A thread of C's, which needs no lock; each call puts it off.
                faulthandler.dump_traceback_later(GIL_SECONDS, exit=True, file=STDERR)
        finally:
            faulthandler.cancel_dump_traceback_later()


@contextmanager
def stalls_reported(progress: Progress) -> Iterator[None]:
    """Report stalls of what is inside."""
    ended = threading.Event()
    # Nobody waits for its end: it may be in the middle of a line that nobody reads.
    threading.Thread(target=StallReports(progress).run, args=(ended,), name="stalls", daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _stacks() -> Mapping[str, Sequence[str]]:
    frames = sys._current_frames()  # noqa: SLF001 - the documented way to another thread's stack
    threads = [thread for thread in threading.enumerate() if thread.name in LOOPING_THREADS]
    return {thread.name: _stack(frames.get(thread.ident or 0)) for thread in threads}


def _stack(frame: FrameType | None) -> Sequence[str]:
    """Tell where a thread stands, the innermost call last."""
    if frame is None:
        return []
    found = traceback.StackSummary.extract(traceback.walk_stack(frame), limit=MAX_FRAMES, lookup_lines=False)
    return [f"{entry.filename}:{entry.lineno} {entry.name}" for entry in reversed(found)]
