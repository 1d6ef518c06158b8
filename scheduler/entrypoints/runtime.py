"""How a process of ours runs: its event loop, its signals, and its way out."""

import asyncio
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from types import FrameType

import structlog
import uvloop

from scheduler.application.loops import Loop
from scheduler.entrypoints.log_level import accept_reloads, reload_log_level, set_up_logging
from scheduler.entrypoints.settings import Settings, withhold_from_children

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
EXIT_UNFIT = 70
"""EX_SOFTWARE: handlers that nothing stops, or a lease that nobody keeps; a new process must take its place."""
THREAD_SECONDS = 2.0
"""What threads that handlers left behind get to end."""
MAX_THREADS = 1000
"""What handlers send to threads and never ends must not keep others, and the metrics, waiting for a free one."""
MAX_ERROR_CHARS = 500
ORPHAN_SECONDS = 5.0

Main = Callable[[asyncio.Event], Awaitable[int]]
"""The work of a process: runs until the event is set, then ends gracefully with an exit code."""


def run_process(main: Main, settings: Settings) -> int:
    """Run `main` until it ends; the first SIGTERM or SIGINT asks it to stop, the second ends the process."""
    set_up_logging(settings)
    _raise_file_limit()
    withhold_from_children()
    threads = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="work")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.get_loop().set_default_executor(threads)
        code = _run_to_its_end(_supervised_main(main, settings), runner.get_loop())
        threads.shutdown(wait=False, cancel_futures=True)
        if not _threads_end(THREAD_SECONDS):
            # A handler's thread cannot be stopped, and Python would wait for it; its job is given back already.
            leave(code)
    return code


def _raise_file_limit() -> None:
    """Let each connection have its file, up to what the system allows: the usual 1,024 are fewer than connections."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS allows less than it says
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _run_to_its_end(main: Coroutine[None, None, int], loop: asyncio.AbstractEventLoop) -> int:
    """Run until `main` is done: no exit or stop that a handler's task or callback asks for ends the loop before."""
    task = loop.create_task(main)
    task.add_done_callback(lambda _: loop.stop())
    while not task.done():
        try:
            loop.run_forever()
        except (SystemExit, KeyboardInterrupt) as error:
            structlog.get_logger("scheduler").error("stray_exit_contained", error=repr(error)[:MAX_ERROR_CHARS])
    return task.result()


def _threads_end(seconds: float) -> bool:
    """Wait for all threads that would keep the process alive; tell whether they have ended."""
    deadline = time.monotonic() + seconds
    threads = [
        thread for thread in threading.enumerate() if not thread.daemon and thread is not threading.main_thread()
    ]
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)


async def _supervised_main(main: Main, settings: Settings) -> int:
    stopping = asyncio.Event()
    with _stop_on_signals(stopping):
        if settings.log_level_file is not None:
            _call_on_hangup(reload_log_level, settings)
        elif stops_at_hangup():
            _call_on_hangup(stopping.set)
        accept_reloads()
        if settings.supervised:
            await _stop_with_parent(stopping)
        return await main(stopping)


def stops_at_hangup() -> bool:
    """Tell whether a terminal that closes ends this process, as it does unless nohup(1) or the like has it stay.

    Shell and kernel may each send SIGHUP then: unlike SIGTERM, the second one cuts no drain short.
    """
    return signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN


@contextmanager
def _stop_on_signals(stopping: asyncio.Event) -> Iterator[None]:
    """Stop at the first signal and end at once at the second, even where a handler blocks the event loop meanwhile."""
    loop = asyncio.get_running_loop()
    is_asked = False

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal is_asked
        if is_asked:
            leave(128 + number)
        is_asked = True
        loop.call_soon_threadsafe(stopping.set)

    for number in STOP_SIGNALS:
        signal.signal(number, stop)
    try:
        yield
    finally:
        ignore_signals()


def _call_on_hangup(callback: Callable[..., None], *args: object) -> None:
    # Not by the loop: it would bring the system's default back when it closes.
    loop = asyncio.get_running_loop()
    signal.signal(signal.SIGHUP, lambda *_: loop.call_soon_threadsafe(callback, *args))


def ignore_signals() -> None:
    """Let no signal replace the exit code of a process whose work is over.

    Python brings the system's default back long before it ends the process.
    """
    for number in (*STOP_SIGNALS, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def leave(code: int) -> None:
    """End the process now, whatever its threads and tasks do."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


class _ParentWatch(asyncio.Protocol):
    def __init__(self, stopping: asyncio.Event) -> None:
        self._stopping = stopping

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's argument
        self._stopping.set()
        end_soon()


def end_soon() -> None:
    """End this process, whose parent is gone, in ORPHAN_SECONDS at the latest: it holds the ports of its successor."""
    last_word = threading.Timer(ORPHAN_SECONDS, leave, [EXIT_UNFIT])
    last_word.daemon = True
    last_word.start()


async def _stop_with_parent(stopping: asyncio.Event) -> None:
    """Stop when the process that started this one is gone: the other end of standard input closes with it."""
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: _ParentWatch(stopping), sys.stdin)


@asynccontextmanager
async def background(loops: Sequence[Loop], *others: Callable[[asyncio.Event], Awaitable[None]]) -> AsyncIterator[None]:
    """Run loops beside what is inside, and stop them after it."""
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for loop in loops:
            group.create_task(loop.run(stopping))
        for other in others:
            group.create_task(_run(other, stopping))
        try:
            yield
        finally:
            stopping.set()


async def _run(work: Callable[[asyncio.Event], Awaitable[None]], stopping: asyncio.Event) -> None:
    await work(stopping)
