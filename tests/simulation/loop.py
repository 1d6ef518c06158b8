"""An event loop of its own: time is simulated, and chance decides which thread of which process goes on."""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, ContextVar, copy_context
from itertools import count
from random import Random
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Args = TypeVarTuple("Args")
MAX_STEPS = 3_000_000
"""Far more than any run takes: beyond it something spins without time passing."""


class Lane:
    """The callbacks of one thread, in the order in which that thread runs them; a frozen one keeps them."""

    __slots__ = ("context", "frozen", "name", "ready")

    def __init__(self, name: str) -> None:
        self.name = name
        self.ready: deque[asyncio.Handle] = deque()
        self.frozen = False
        self.context = copy_context()
        self.context.run(_lane.set, self)


_lane: ContextVar[Lane] = ContextVar("lane")


class SimulationTask(asyncio.Task[T]):
    """A task whose hash does not depend on where it lies in memory, so that sets of tasks have the same order again."""

    def __init__(self, coro: "Coroutine[Any, Any, T] | Generator[Any, None, T]", number: int, **options: Any) -> None:  # noqa: ANN401 - asyncio.Task's own
        self._number = number
        super().__init__(coro, **options)

    def __hash__(self) -> int:
        return self._number


class SimulationLoop(asyncio.BaseEventLoop):
    """Runs one callback at a time; when no lane can go on, the clock jumps to the next timer."""

    def __init__(self, rng: Random) -> None:
        super().__init__()
        self._draw = rng.random
        self._now = 0.0
        self._timers: list[tuple[float, int, Lane, asyncio.TimerHandle]] = []
        self._numbers = count(1)
        self._active: list[Lane] = []
        self._outside = Lane("outside")
        self._stopped = False
        self.steps = 0
        self.failures: list[str] = []
        self.set_exception_handler(lambda _, context: self.failures.append(_describe(context)))

    def time(self) -> float:
        return self._now

    def freeze(self, lane: Lane) -> None:
        """Let the lane run nothing until it is thawed."""
        if lane in self._active:
            self._active.remove(lane)
        lane.frozen = True

    def thaw(self, lane: Lane) -> None:
        """Let the lane go on where it stood."""
        if lane.frozen:
            lane.frozen = False
            if lane.ready:
                self._active.append(lane)

    def run_forever(self) -> None:
        self._stopped = False
        asyncio._set_running_loop(self)  # noqa: SLF001 - meant for event loops
        try:
            while not self._stopped:
                self._run_one()
        finally:
            asyncio._set_running_loop(None)  # noqa: SLF001 - the same

    def stop(self) -> None:
        self._stopped = True

    def call_soon(
        self, callback: Callable[[*Args], object], *args: *Args, context: Context | None = None
    ) -> asyncio.Handle:
        own = copy_context() if context is None else context
        handle = asyncio.Handle(callback, args, self, own)
        self._push(own.get(_lane, self._outside), handle)
        return handle

    def call_soon_threadsafe(
        self,
        callback: Callable[[*Args], object],
        *args: *Args,
        context: Context | None = None,
    ) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Args], object],
        *args: *Args,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Args], object],
        *args: *Args,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        own = copy_context() if context is None else context
        timer = asyncio.TimerHandle(when, callback, args, self, own)
        heapq.heappush(self._timers, (when, next(self._numbers), own.get(_lane, self._outside), timer))
        return timer

    def create_task(self, coro: Any, *, name: object = None, context: Context | None = None) -> Any:  # noqa: ANN401 - the base's own
        return SimulationTask(coro, next(self._numbers), loop=self, name=name, context=context)

    def spawn(self, lane: Lane, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task in a lane: all that it starts in turn stays there."""
        return SimulationTask(work, next(self._numbers), loop=self, context=lane.context.copy())

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Do nothing: a cancelled timer is dropped when its time comes."""

    def _push(self, lane: Lane, handle: asyncio.Handle) -> None:
        if not lane.ready and not lane.frozen:
            self._active.append(lane)
        lane.ready.append(handle)

    def _run_one(self) -> None:
        active = self._active
        if not active:
            self._pass_time()
            return
        at = int(self._draw() * len(active)) if len(active) > 1 else 0
        lane = active[at]
        handle = lane.ready.popleft()
        if not lane.ready:
            active[at] = active[-1]
            active.pop()
        if not handle.cancelled():
            self.steps += 1
            handle._run()  # noqa: SLF001 - as every event loop runs a handle

    def _pass_time(self) -> None:
        if self.steps > MAX_STEPS:
            raise RuntimeError("the simulation does not end")
        while self._timers and self._timers[0][3].cancelled():
            heapq.heappop(self._timers)
        if not self._timers:
            raise RuntimeError("everything waits for something that can never happen")
        self._now = max(self._now, self._timers[0][0])
        while self._timers and self._timers[0][0] <= self._now:
            _, _, lane, timer = heapq.heappop(self._timers)
            self._push(lane, timer)


def _describe(context: dict[str, Any]) -> str:
    return f"{context.get('message')}: {context.get('exception')!r}"
