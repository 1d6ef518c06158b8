"""The memory of this process, as the operating system counts it."""

import gc
import os
import resource
import sys
from pathlib import Path

from scheduler.application.ports.memory import ProcessMemory

_STATM = Path("/proc/self/statm")
_MEGABYTE = 1024 * 1024


class SystemMemory(ProcessMemory):
    """Reads /proc; where there is none, the most that the process has had stands for what it has."""

    def resident_megabytes(self) -> int:
        """Return how much memory this process has now, in MiB."""
        try:
            pages = int(_STATM.read_bytes().split()[1])
        except OSError:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            return peak // (_MEGABYTE if sys.platform == "darwin" else 1024)
        return pages * os.sysconf("SC_PAGE_SIZE") // _MEGABYTE

    def collect(self) -> None:
        """Free all objects that only hold each other."""
        gc.collect()
