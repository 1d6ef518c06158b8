"""Processes of the scheduler beside those of the stack, on the same servers."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from scheduler.entrypoints.children import Child


def sibling(child: Child, name: str, *options: str, **environment: str | int) -> Child:
    """Make another process of the same kind; it is not started yet, and logs beside the other."""
    assert child.log is not None
    return Child(
        name=name,
        arguments=[child.arguments[0], *options],
        environment={**child.environment, **environment},
        log=child.log.with_name(f"{name}.log"),
    )


def keep_running(child: Child) -> None:
    """Start it unless it runs."""
    if child.pid is None or child.exit_code() is not None:
        child.start()


def stop(child: Child) -> int | None:
    """Stop it in peace; return its exit code."""
    child.ask_to_stop()
    child.await_end()
    return child.exit_code()


@contextmanager
def running(child: Child) -> Iterator[Child]:
    """Run it while inside, unless it is ended there."""
    child.start()
    try:
        yield child
    finally:
        stop(child)


def send(child: Child, number: signal.Signals) -> None:
    """Signal it, if it runs."""
    if child.pid is not None and child.exit_code() is None:
        os.kill(child.pid, number)
