"""Handlers of a user, for processes to run: good ones, and some that no worker should have to bear."""

import asyncio
import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from scheduler.adapters.handlers.process.protocol import ProgressLine, encode
from scheduler.handlers import JobContext, PermanentError, RetryLater, handler


@dataclass
class Order:
    item: str
    count: int = 1


@dataclass
class Place:
    folder: Path

    def mark(self, name: str, text: object = "") -> None:
        """Write a file that is there as a whole or not at all."""
        (self.folder / f".{name}").write_text(str(text))
        (self.folder / f".{name}").rename(self.folder / name)


@dataclass
class Meeting:
    folder: Path
    count: int


@handler("greet", executor="process")
def greet(order: Order, context: JobContext) -> dict[str, object]:
    return {"item": order.item, "count": order.count, "attempt": context.attempt, "pid": os.getpid()}


@handler("greet.async", executor="process")
async def greet_async(order: Order, context: JobContext) -> dict[str, object]:
    await asyncio.sleep(0)
    return {"item": order.item, "count": order.count, "attempt": context.attempt, "pid": os.getpid()}


@handler("measure", executor="process")
def measure(text: str, context: JobContext) -> int:
    return len(text)


@handler("echo", executor="process")
def echo(text: str, context: JobContext) -> str:
    return text


@handler("context", executor="process")
def tell_context(_: None, context: JobContext) -> dict[str, object]:
    return {
        "job_id": context.job_id,
        "fence": context.fence,
        "job_type": context.job_type,
        "attempt": context.attempt,
        "max_attempts": context.max_attempts,
        "worker_id": context.worker_id,
        "deadline": context.deadline,
        "seconds_left": context.seconds_left,
        "cancelled": context.cancelled,
        "trace": [context.traceparent, context.tracestate],
    }


@handler("talk", executor="process")
def talk(_: None, context: JobContext) -> None:
    context.logger.info("work_began", of="talk", place=Path("/somewhere"))
    context.logger.debug("not_worth_it")
    context.logger.info("file_skipped", name="\udcff.csv")
    context.logger.bind(event="other").info("bound", lock=threading.Lock())
    logging.getLogger("library").warning("used %s", "wrongly")
    try:
        int("odd")
    except ValueError:
        context.logger.exception("work_is_odd")


@handler("talk.much", executor="process")
def talk_much(_: None, context: JobContext) -> None:
    context.logger.info("long", text="x" * 1_000_000)
    for number in range(2000):
        context.logger.info("short", number=number)


@handler("progress", executor="process")
def progress(count: int, context: JobContext) -> None:
    for number in range(count + 1):
        context.progress(100 * number / count, f"{number} of {count}")


@handler("pause", executor="process")
def pause(place: Place, context: JobContext) -> None:
    context.progress(1, "one")
    context.progress(2, "two")
    context.wait_cancelled(60)


@handler("progress.bad", executor="process")
def bad_progress(_: None, context: JobContext) -> None:
    context.progress(101)


@handler("fail", executor="process")
def fail(kind: str, context: JobContext) -> None:
    raise ERRORS[kind]


class MuteError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even that")


ERRORS: dict[str, BaseException] = {
    "group": ExceptionGroup("both", [ValueError("no"), OSError("nor this")]),
    "error": ValueError("no such thing"),
    "permanent": PermanentError("never"),
    "later": RetryLater("busy", delay=7.5),
    "never again": RetryLater("closed for good", delay=timedelta.max),
    "exit": SystemExit(3),
    "interrupt": KeyboardInterrupt(),
    "mute": MuteError(),
    "long": ValueError("x" * 1_000_000),
}


@handler("return", executor="process")
def give_back(kind: str, context: JobContext) -> object:
    return {"object": object(), "long": "x" * 70_000, "nothing": None}[kind]


@handler("die", executor="process")
def die(kind: str, context: JobContext) -> None:
    ENDS[kind]()
    time.sleep(60)


def write_to_worker(data: bytes) -> None:
    for descriptor in descriptors():
        os.write(descriptor, data)


ENDS: dict[str, Callable[[], object]] = {
    "exit": lambda: os._exit(3),
    "segfault": lambda: ctypes.string_at(0),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "realtime": lambda: os.kill(os.getpid(), 40),
    "garbage": lambda: write_to_worker(b"\0\0\0\7garbage"),
    "array": lambda: write_to_worker(b"\0\0\0\2[]"),
    "unknown": lambda: write_to_worker(b'\0\0\0\x11{"kind":"Secret"}'),
    "flood": lambda: write_to_worker(b"\xff" * 64),
    "progress": lambda: write_to_worker(encode(ProgressLine(number=1, percent=500.0, message=""))),
    "close": lambda: os.closerange(3, 100_000),  # the connection has the number that it had in the worker
}


def descriptors() -> list[int]:
    """List the sockets of this process."""
    return [int(name) for name, target in open_files() if "socket" in target]


def open_files() -> Iterator[tuple[str, str]]:
    for entry in Path("/dev/fd").iterdir():
        with suppress(FileNotFoundError):
            yield entry.name, str(entry.readlink())


@handler("wait", executor="process")
def wait(place: Place, context: JobContext) -> None:
    place.mark("began", os.getpid())
    try:
        time.sleep(60)
    finally:
        place.mark("cancelled", context.cancelled)
        context.logger.info("cleaned_up")


@handler("wait.async", executor="process")
async def wait_async(place: Place, context: JobContext) -> None:
    place.mark("began", os.getpid())
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        place.mark("cancelled", context.cancelled)
        raise


@handler("wait.patient", executor="process")
def wait_patiently(place: Place, context: JobContext) -> None:
    place.mark("began", os.getpid())
    try:
        context.wait_cancelled(60)
    finally:
        place.mark("cancelled", context.cancelled)


@handler("wait.frozen", executor="process")
def wait_frozen(place: Place, context: JobContext) -> None:
    place.mark("began", os.getpid())
    os.kill(os.getpid(), signal.SIGSTOP)


@handler("wait.stubborn", executor="process")
def wait_stubbornly(place: Place, context: JobContext) -> None:
    place.mark("began", os.getpid())
    while True:
        try:
            time.sleep(60)
        except SystemExit:
            place.mark("cancelled", context.cancelled)


@handler("wait.deaf", executor="process")
def wait_deafly(place: Place, context: JobContext) -> None:
    """Miss the first request to end, as a sleep does that begins just then."""
    heard: list[int] = []
    own = signal.getsignal(signal.SIGTERM)

    def miss(number: int, frame: object) -> None:
        heard.append(number)
        signal.signal(number, own)

    signal.signal(signal.SIGTERM, miss)
    place.mark("began", os.getpid())
    try:
        time.sleep(60)
    finally:
        place.mark("cancelled", context.cancelled and len(heard) == 1)


@handler("wait.swallow", executor="process")
def wait_and_swallow(place: Place, context: JobContext) -> str:
    place.mark("began", os.getpid())
    try:
        time.sleep(60)
    except SystemExit:
        place.mark("cancelled", context.cancelled)
    return "as if nothing had happened"


@handler("wait.parent", executor="process")
def wait_for_grandchild(place: Place, context: JobContext) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as grandchild:
        place.mark("grandchild", grandchild.pid)
        place.mark("began", os.getpid())
        grandchild.wait()


@handler("wait.for", executor="process")
def wait_for(place: Place, context: JobContext) -> str:
    """Wait for a file."""
    place.mark("began", os.getpid())
    while not (place.folder / "go").exists():
        time.sleep(0.01)
    return "went"


@handler("meet", executor="process")
def meet(meeting: Meeting, context: JobContext) -> int:
    """Wait until so many have come."""
    (meeting.folder / f"{os.getpid()}").touch()
    while len(list(meeting.folder.iterdir())) < meeting.count:
        time.sleep(0.01)
    return os.getpid()


@handler("wait.hog", executor="process")
def hog(place: Place, context: JobContext) -> None:
    """Hold the interpreter's lock for ever, as C code can."""
    place.mark("began", os.getpid())
    ctypes.PyDLL(None).pause()
    ctypes.PyDLL(None).pause()


@handler("leave", executor="process")
def leave_grandchild(place: Place, context: JobContext) -> None:
    grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    place.mark("grandchild", grandchild.pid)
    os._exit(3)


@handler("fork", executor="process")
def fork(place: Place, context: JobContext) -> int:
    """Come back twice."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
    else:
        place.mark("forked")
    return os.getpid()


@handler("allocate", executor="process")
def allocate(megabytes: int, context: JobContext) -> int:
    block = bytearray(megabytes * 1024 * 1024)
    block[::4096] = b"x" * len(block[::4096])
    return os.getpid()


LEFT_BEHIND: list[int] = []


@handler("leave.files", executor="process")
def leave_files(count: int, context: JobContext) -> int:
    LEFT_BEHIND.extend(os.open(os.devnull, os.O_RDONLY) for _ in range(count))
    return os.getpid()


@handler("leave.threads", executor="process")
def leave_threads(count: int, context: JobContext) -> int:
    for _ in range(count):
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
    return os.getpid()


@handler("print", executor="process")
def print_much(megabytes: int, context: JobContext) -> None:
    line = "x" * 1023 + "\n"
    for _ in range(megabytes * 512):
        sys.stdout.write(line)
        sys.stderr.write(line)


@handler("open", executor="process")
def list_open_files(_: None, context: JobContext) -> list[str]:
    return [target for _, target in open_files()]


@handler("input", executor="process")
def read_input(_: None, context: JobContext) -> str:
    return sys.stdin.read()
