"""Turns ports off and on, as outages do."""

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from enum import Enum, auto
from functools import wraps
from typing import ParamSpec, TypeVar, cast

from scheduler.application.errors import UnavailableError

Port = TypeVar("Port")
Params = ParamSpec("Params")
Answer = TypeVar("Answer")


class _Mode(Enum):
    ON = auto()
    OFF = auto()
    REPLIES_LOST = auto()


class Switch:
    """Governs every port that it guards: one switch per server, such as the store's or the queue's.

    `error` makes what a port raises while it is off; `when_off` is called each time that happens.
    """

    def __init__(self, error: Callable[[str], UnavailableError], when_off: Callable[[], None] | None = None) -> None:
        self._error = error
        self._when_off = when_off
        self._mode = _Mode.ON

    def off(self) -> None:
        """Refuse every call from now on, before it has an effect."""
        self._mode = _Mode.OFF
        if self._when_off is not None:
            self._when_off()

    def lose_replies(self) -> None:
        """Let every call have its effect from now on, then raise as if its reply was lost."""
        self._mode = _Mode.REPLIES_LOST

    def on(self) -> None:
        """Work again."""
        self._mode = _Mode.ON

    def guard(self, port: Port) -> Port:
        """Return the port with every method under this switch."""
        return cast("Port", _Guarded(self, port))

    def check_before(self) -> None:
        """Raise if calls are refused."""
        if self._mode is _Mode.OFF:
            raise self._error("switched off")

    def check_after(self) -> None:
        """Raise if replies are lost."""
        if self._mode is _Mode.REPLIES_LOST:
            raise self._error("reply lost")


class _Guarded:
    """Stands in for a port: has its methods, each behind the switch."""

    def __init__(self, switch: Switch, port: object) -> None:
        self._switch = switch
        self._port = port

    def __getattr__(self, name: str) -> object:
        attribute = getattr(self._port, name)
        if inspect.iscoroutinefunction(attribute):
            return _behind(self._switch, attribute)
        return _in_front(self._switch, attribute) if callable(attribute) else attribute


def _behind(
    switch: Switch, method: Callable[Params, Coroutine[None, None, Answer]]
) -> Callable[Params, Coroutine[None, None, Answer]]:
    @wraps(method)
    async def call(*args: Params.args, **kwargs: Params.kwargs) -> Answer:
        await asyncio.sleep(0)
        switch.check_before()
        answer = await method(*args, **kwargs)
        switch.check_after()
        return answer

    return call


def _in_front(switch: Switch, method: Callable[Params, Answer]) -> Callable[Params, Answer]:
    @wraps(method)
    def call(*args: Params.args, **kwargs: Params.kwargs) -> Answer:
        switch.check_before()
        return method(*args, **kwargs)

    return call
