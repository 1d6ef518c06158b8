"""A process to be stopped, hurried, orphaned or broken; says "up" on standard error when it is ready for that."""

import asyncio
import ctypes
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from scheduler.adapters.http.progress import LoopProgress
from scheduler.adapters.system.clock import SystemClock
from scheduler.entrypoints import stalls
from scheduler.entrypoints.runtime import leave, run_process
from scheduler.entrypoints.settings import Settings


def say(word: str) -> None:
    sys.stderr.write(f"{word}\n")
    sys.stderr.flush()


async def obedient(stopping: asyncio.Event) -> int:
    say("up")
    await stopping.wait()
    return 7


async def deaf(stopping: asyncio.Event) -> int:
    say("up")
    await stopping.wait()
    say("stopping")
    await asyncio.Event().wait()
    return 7


async def blocked(stopping: asyncio.Event) -> int:
    say("up")
    await stopping.wait()
    say("stopping")
    time.sleep(60)  # noqa: ASYNC251 - a handler that blocks the event loop
    return 7


async def busy(stopping: asyncio.Event) -> int:
    say("up")
    time.sleep(60)  # noqa: ASYNC251 - the same, from before the first signal on
    return 7


async def silenced(stopping: asyncio.Event) -> int:
    say("up")
    await stopping.wait()
    sys.stdout.close()
    sys.stderr.close()
    structlog.get_logger("test").error("still_heard")
    return 7


async def greedy(stopping: asyncio.Event) -> int:
    stalls.CHECK_SECONDS, stalls.GIL_SECONDS = 0.1, 1.5
    with stalls.stalls_reported(LoopProgress(SystemClock())):
        say("up")
        await asyncio.sleep(3)  # nothing ends a process whose threads run
        say("holding")
        ctypes.PyDLL(None).sleep(60)  # PyDLL: called without giving up the interpreter's lock
        return 7


async def with_a_busy_thread(stopping: asyncio.Event) -> int:
    busy = asyncio.create_task(asyncio.to_thread(time.sleep, 60))
    say("up")
    await stopping.wait()
    busy.cancel()
    return 7


async def with_many_busy_threads(stopping: asyncio.Event) -> int:
    busy = [asyncio.create_task(asyncio.to_thread(time.sleep, 60)) for _ in range(100)]
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await asyncio.to_thread(say, "up")
    await stopping.wait()
    for each in busy:
        each.cancel()
    return 7


async def with_an_idle_thread(stopping: asyncio.Event) -> int:
    await asyncio.to_thread(say, "up")
    await stopping.wait()
    return 7


async def with_strays(stopping: asyncio.Event) -> int:
    async def leave_at_once() -> None:
        sys.exit(3)

    loop = asyncio.get_running_loop()
    loop.call_soon(sys.exit, 4)
    loop.call_soon(loop.stop)
    stray = asyncio.create_task(leave_at_once())
    await asyncio.wait([stray])
    say(f"contained {stray.exception()!r}")
    say("up")
    await stopping.wait()
    return 7


def without_output(_: Settings) -> int:
    say("up")
    sys.stdin.read()
    print("lost")  # noqa: T201 - into a pipe that nobody reads any more
    threading.Thread(target=leave, args=(70,)).start()
    time.sleep(60)
    return 7


MAINS: dict[str, Callable[[asyncio.Event], Awaitable[int]]] = {
    "obedient": obedient,
    "many-busy-threads": with_many_busy_threads,
    "deaf": deaf,
    "blocked": blocked,
    "busy": busy,
    "greedy": greedy,
    "silenced": silenced,
    "busy-thread": with_a_busy_thread,
    "strays": with_strays,
    "idle-thread": with_an_idle_thread,
}

if __name__ == "__main__":
    name, given = sys.argv[1], Settings.load()
    code = without_output(given) if name == "without-output" else run_process(MAINS[name], given)
    with suppress(ValueError):  # "silenced" has closed it
        say("over")
    sys.exit(code)
