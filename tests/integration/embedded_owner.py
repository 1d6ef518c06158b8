"""A process that owns an embedded server, for tests of what happens when it ends.

    embedded_owner.py (postgres|valkey) DATA_DIR MODE

It prints one JSON line when the server answers, then lives until its standard input ends. Modes: `plain`; `fork` keeps
a forked child that outlives it; `deaf` reports each SIGINT with a line and goes on; `leave` ends without stopping.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

from scheduler.adapters.embedded import EmbeddedPostgres, EmbeddedValkey


def main() -> None:
    kind, data_dir, mode = sys.argv[1:]
    server = {"postgres": EmbeddedPostgres, "valkey": EmbeddedValkey}[kind](Path(data_dir))
    server.start()
    child = fork_idler() if mode == "fork" else 0
    if mode == "deaf":
        signal.signal(signal.SIGINT, lambda *_: say({"interrupted": True}))
    say({"pid": server.pid, "port": server.port, "child": child, "uid": os.getuid()})
    if mode != "leave":
        sys.stdin.read()


def fork_idler() -> int:
    """Fork a child that has inherited all descriptors and does nothing."""
    child = os.fork()
    while child == 0:
        time.sleep(60)
    return child


def say(message: dict[str, object]) -> None:
    os.write(1, json.dumps(message).encode() + b"\n")  # unlike print, fit for a signal handler


if __name__ == "__main__":
    main()
