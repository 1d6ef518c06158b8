"""How much memory this process has had."""

import resource
import sys
from contextlib import suppress
from pathlib import Path

_STATUS = Path("/proc/self/status")
_PEAK = b"VmHWM:"


def peak_megabytes() -> int:
    """Return the most resident memory of this process so far, in MiB."""
    with suppress(OSError):
        for line in _STATUS.read_bytes().splitlines():
            if line.startswith(_PEAK):
                return int(line.split()[1]) // 1024
    # Second choice, for on Linux it counts what the process had that started this one.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1024 * 1024 if sys.platform == "darwin" else 1024)
