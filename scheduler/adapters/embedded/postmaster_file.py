"""postmaster.pid, in which a PostgreSQL server says how far it is."""

from pathlib import Path
from typing import Final

# Lines of the file, as src/include/utils/pidfile.h numbers them, from 0.
PID_LINE: Final = 0
STATUS_LINE: Final = 7
READY: Final = "ready"


def is_ready(cluster: Path, pid: int) -> bool:
    """Tell whether this very server accepts connections."""
    lines = _lines(cluster)
    return len(lines) > STATUS_LINE and lines[PID_LINE] == str(pid) and lines[STATUS_LINE].strip() == READY


def remove_if_stale(cluster: Path) -> None:
    """Remove the file when its process id now belongs to some other program; only for who holds the lock.

    PostgreSQL would take that program for an earlier server and never start again. It happens where ids are small and
    start anew: in a container that was killed and runs again on the same volume.
    """
    lines = _lines(cluster)
    if lines and _program_of(lines[PID_LINE]) not in {None, "postgres"}:
        _file(cluster).unlink()


def _program_of(pid: str) -> str | None:
    """Name the program of a running process; None when there is none, or no /proc."""
    try:
        return Path("/proc", pid, "comm").read_text().strip()
    except OSError:
        return None


def _lines(cluster: Path) -> list[str]:
    try:
        return _file(cluster).read_text().splitlines()
    except FileNotFoundError:
        return []


def _file(cluster: Path) -> Path:
    return cluster / "postmaster.pid"
