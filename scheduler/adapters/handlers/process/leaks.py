"""What attempts have left behind in this process, for those that come after them."""

import os
import threading

MOST_THREADS = 64
MOST_OPEN_FILES = 256
"""A quarter of what systems commonly allow a process."""


def has_leaks() -> bool:
    """Tell whether more threads run or more files are open than a module keeps for its handlers."""
    return threading.active_count() > MOST_THREADS or _open_files() > MOST_OPEN_FILES


def _open_files() -> float:
    try:
        return len(os.listdir("/dev/fd"))  # noqa: PTH208 - a path for each would be made
    except OSError:
        # There is none left to list them with.
        return float("inf")
