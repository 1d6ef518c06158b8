"""Handlers of the three ways to run, written as a user's module would be: `scheduler demo` loads it like one."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass

from scheduler.handlers import JobContext, handler

STEPS = 5
STEP_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Numbers:
    """The payload: the numbers from 1 to `last`."""

    last: int


@handler("example.async")
async def add_in_the_loop(numbers: Numbers, context: JobContext) -> dict[str, int]:
    """Add them up in the worker's event loop."""
    total = 0
    for part in _parts(numbers, context):
        total += part
        await asyncio.sleep(STEP_SECONDS)
    return {"sum": total}


@handler("example.thread")
def add_in_a_thread(numbers: Numbers, context: JobContext) -> dict[str, int]:
    """Add them up in a thread."""
    return _add(numbers, context)


@handler("example.process", executor="process")
def add_in_a_process(numbers: Numbers, context: JobContext) -> dict[str, int]:
    """Add them up in a process that can be killed."""
    return _add(numbers, context)


def _add(numbers: Numbers, context: JobContext) -> dict[str, int]:
    total = 0
    for part in _parts(numbers, context):
        total += part
        time.sleep(STEP_SECONDS)
    return {"sum": total}


def _parts(numbers: Numbers, context: JobContext) -> Iterator[int]:
    """Yield the sum of every fifth number, and tell the progress."""
    for step in range(1, STEPS + 1):
        yield sum(range(step, numbers.last + 1, STEPS))
        context.progress(100 * step / STEPS, f"part {step} of {STEPS}")
