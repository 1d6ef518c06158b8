"""How a handler process ends with its worker, however the worker ends."""

import fcntl
import os
import select
import signal
import sys
import threading
from contextlib import suppress
from typing import NoReturn

PARENT_CHECK_MS = 1000


def hold_lifeline(descriptor: int, parent: int) -> None:
    """Kill this process and all that it started when the other end of the pipe closes, or `parent` is gone.

    The other end is open in the worker alone, and nothing is ever written to it.
    """
    if sys.platform == "linux":
        # By the kernel, at once, even while C code keeps every thread of ours from running.
        fcntl.fcntl(descriptor, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_ASYNC)
    threading.Thread(target=_watch, args=(descriptor, parent), name="lifeline", daemon=True).start()


def _watch(descriptor: int, parent: int) -> NoReturn:
    """See what the kernel did not tell: the pipe closed before we listened, or a fork of the worker holds it."""
    pipe = select.poll()
    pipe.register(descriptor, select.POLLIN)
    while os.getppid() == parent:
        events = pipe.poll(PARENT_CHECK_MS)
        if (descriptor, select.POLLNVAL) in events:
            # A handler closed what is not its own; its worker will end it for that.
            pipe.unregister(descriptor)
        elif events:
            break
    with suppress(OSError):
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)
