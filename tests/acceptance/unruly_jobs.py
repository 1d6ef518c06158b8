"""Handlers that do what handlers should not, for the scenarios and tests of what that costs."""

import asyncio
import sys
import time
from collections.abc import Callable
from typing import Literal, NoReturn

from pydantic import BaseModel

from scheduler.handlers import JobContext, handler


class Stay(BaseModel):
    seconds: float


class Leak(BaseModel):
    megabytes: int


class Harm(BaseModel):
    what: Literal[
        "exit", "interrupt", "generator exit", "group", "unspeakable", "megabytes", "recursion", "exit in a task"
    ]


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise SystemExit(4)


@handler("unruly.stay")
async def stay(payload: Stay, context: JobContext) -> None:
    """Ignore for so long every word that it is to end."""
    loop = asyncio.get_running_loop()
    until = loop.time() + payload.seconds
    while (left := until - loop.time()) > 0:
        try:
            await asyncio.sleep(left)
        except asyncio.CancelledError:
            continue


@handler("unruly.block")
def block(payload: Stay, context: JobContext) -> None:
    """Do the same in a thread."""
    time.sleep(payload.seconds)


@handler("unruly.hog")
async def hog(payload: Stay, context: JobContext) -> None:
    """Block the event loop."""
    time.sleep(payload.seconds)  # noqa: ASYNC251 - that is the harm


LEAKED: list[bytes] = []


@handler("unruly.leak")
def leak(payload: Leak, context: JobContext) -> None:
    """Keep what no other job needs."""
    LEAKED.append(b"x" * (payload.megabytes * 1024 * 1024))


class Circle:
    """Holds itself, and much else; as one object it hardly counts."""

    def __init__(self, megabytes: int) -> None:
        self.itself = self
        self.held = b"x" * (megabytes * 1024 * 1024)


@handler("unruly.circle")
async def leave_circle(payload: Leak, context: JobContext) -> None:
    """Leave what only Python's collector can free."""
    Circle(payload.megabytes)


def _exit() -> NoReturn:
    sys.exit(3)


def _interrupt() -> NoReturn:
    raise KeyboardInterrupt


def _generator_exit() -> NoReturn:
    raise GeneratorExit


def _group() -> NoReturn:
    raise BaseExceptionGroup("both", [SystemExit(5), ValueError("no")])


def _unspeakable() -> NoReturn:
    raise UnspeakableError


def _megabytes() -> NoReturn:
    raise ValueError("x" * 100_000_000)


def _recursion() -> NoReturn:
    _recursion()


HARMS: dict[str, Callable[[], NoReturn]] = {
    "exit": _exit,
    "interrupt": _interrupt,
    "generator exit": _generator_exit,
    "group": _group,
    "unspeakable": _unspeakable,
    "megabytes": _megabytes,
    "recursion": _recursion,
}


@handler("unruly.harm")
async def harm(payload: Harm, context: JobContext) -> None:
    if payload.what == "exit in a task":
        await asyncio.create_task(_exit_later())
    HARMS[payload.what]()


@handler("unruly.stray")
async def stray(payload: Stay, context: JobContext) -> str:
    """Leave behind what ends the program a moment later."""
    loop = asyncio.get_running_loop()
    loop.call_soon(sys.exit, 3)
    loop.call_later(payload.seconds / 2, loop.stop)
    await asyncio.sleep(payload.seconds)
    return "left"


async def _exit_later() -> NoReturn:
    await asyncio.sleep(0)
    _exit()
