"""One server per data directory."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from scheduler.adapters.embedded.errors import DirectoryInUseError

POLL_SECONDS: Final = 0.02
# A server whose owner was killed stops by itself; a checkpoint of a busy database may take this long.
PATIENCE_SECONDS: Final = 20.0
# The guard needs a moment to see that its owner was killed, and a killed owner that nobody has reaped looks alive.
BENEFIT_OF_DOUBT_SECONDS: Final = 0.5


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Lock the file and yield its descriptor, waiting for a server that is about to end.

    Server and guard inherit the descriptor, so the lock outlives this block and is free when the last process of the
    server has gone, however it went. Raises DirectoryInUseError when a living process owns the running server.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _acquire(descriptor, path.parent)
        yield descriptor
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, directory: Path) -> None:
    started = time.monotonic()
    while not _try_lock(descriptor):
        owner = _living_owner(descriptor)
        patience = PATIENCE_SECONDS if owner is None else BENEFIT_OF_DOUBT_SECONDS
        if time.monotonic() - started > patience:
            raise DirectoryInUseError(directory, owner)
        time.sleep(POLL_SECONDS)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _living_owner(descriptor: int) -> int | None:
    """Read the owner that the guard wrote into the file; a server that ends has none."""
    text = os.pread(descriptor, 32, 0).strip()
    if not text.isdigit():
        return None
    try:
        os.kill(int(text), 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return int(text)
