"""A slow server: single calls wait, before or after their effect, until the test lets them go."""

import asyncio
import inspect
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import wraps
from typing import ParamSpec, TypeVar, cast

from scheduler.adapters.memory.switch import Switch
from scheduler.application.ports.event_bus import EventBus, Subscription
from scheduler.domain.events import Event
from scheduler.domain.ids import WorkerId

Port = TypeVar("Port")
Params = ParamSpec("Params")
Answer = TypeVar("Answer")


class Hold:
    """One call that waits."""

    def __init__(self, *, before: bool) -> None:
        self.before = before
        self._arrived = asyncio.Event()
        self._go = asyncio.Event()

    async def reached(self) -> None:
        """Wait until the call waits."""
        await self._arrived.wait()

    def let_go(self) -> None:
        """Let the call go on."""
        self._go.set()

    async def stop_here(self) -> None:
        self._arrived.set()
        await self._go.wait()


class Gate:
    """Stands in front of ports, and counts their calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._holds: defaultdict[str, list[Hold]] = defaultdict(list)

    def hold(self, method: str, *, before: bool = False) -> Hold:
        """Hold the next call of the method: once it had its effect, or before."""
        hold = Hold(before=before)
        self._holds[method].append(hold)
        return hold

    def guard(self, port: Port) -> Port:
        """Return the port with every coroutine method behind this gate."""
        return cast("Port", _Gated(self, port))

    def next_hold(self, method: str) -> Hold | None:
        self.calls.append(method)
        return self._holds[method].pop(0) if self._holds[method] else None


class _Gated:
    def __init__(self, gate: Gate, port: object) -> None:
        self._gate = gate
        self._port = port

    def __getattr__(self, name: str) -> object:
        attribute = getattr(self._port, name)
        return _behind(self._gate, attribute) if inspect.iscoroutinefunction(attribute) else attribute


def _behind(
    gate: Gate, method: Callable[Params, Coroutine[None, None, Answer]]
) -> Callable[Params, Coroutine[None, None, Answer]]:
    @wraps(method)
    async def call(*args: Params.args, **kwargs: Params.kwargs) -> Answer:
        hold = gate.next_hold(method.__name__)
        if hold is not None and hold.before:
            await hold.stop_here()
        answer = await method(*args, **kwargs)
        if hold is not None and not hold.before:
            await hold.stop_here()
        return answer

    return call


class GatedBus(EventBus):
    """A bus whose subscriptions are behind a gate and a switch too."""

    def __init__(self, bus: EventBus, gate: Gate, switch: Switch) -> None:
        self._bus = bus
        self._gate = gate
        self._switch = switch

    async def publish(self, events: Sequence[Event]) -> None:
        await self._bus.publish(events)

    def subscribe(
        self, *, work: bool = False, worker_id: WorkerId | None = None
    ) -> AbstractAsyncContextManager[Subscription]:
        return self._subscribed(work=work, worker_id=worker_id)

    @asynccontextmanager
    async def _subscribed(self, *, work: bool, worker_id: WorkerId | None) -> AsyncIterator[Subscription]:
        async with self._bus.subscribe(work=work, worker_id=worker_id) as subscription:
            yield self._gate.guard(self._switch.guard(subscription))
