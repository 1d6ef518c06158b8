"""A child that lives until its standard input ends, crashes, or will not hear; `parent` starts one and waits."""

import signal
import sys
import time
from pathlib import Path

from scheduler.entrypoints.children import Child


def live(mark: Path) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
    mark.write_text("up")
    sys.stdin.read()
    mark.write_text("stopped by itself")


def be_deaf(mark: Path) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    mark.write_text("up")
    time.sleep(60)


def crash(mark: Path) -> None:
    with mark.open("a") as file:
        file.write(".")
    sys.exit(3)


def fail(_: Path) -> None:
    sys.exit(1)


def be_parent(mark: Path) -> None:
    Child(name="child", arguments=["live", str(mark)], module="tests.unit.entrypoints.child").start()
    time.sleep(60)


if __name__ == "__main__":
    {"live": live, "deaf": be_deaf, "crash": crash, "fail": fail, "parent": be_parent}[sys.argv[1]](Path(sys.argv[2]))
