"""The way from a process to a server and back, on which anything can be lost, late or cut."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

from scheduler.domain.errors import SchedulerError
from tests.simulation.loop import Lane, SimulationLoop
from tests.simulation.trace import Trace

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")
NOTICED_AFTER = 3.0
"""Seconds after which a connection that answers nothing counts as lost."""
SLOW_CONNECT = 0.3
"""The chance that a connection takes a while, up to a second, to be made."""


class LostError(Exception):
    """No answer came: the request may have had its effect."""


class RefusedError(Exception):
    """No connection could be made: the request had no effect."""


class ConflictError(Exception):
    """The server rolled the request back: it had no effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """The chance of each small misfortune of one request."""

    request_lost: float = 0.0
    reply_lost: float = 0.0
    conflict: float = 0.0
    late: float = 0.0
    """Of being delayed by seconds, perhaps past its sender's patience."""


CALM = Weather()


class Server:
    """A server: up or down for everybody."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lane = Lane(name)
        self.down = False
        self.caller = ""
        """Whose request is being served."""


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """Run what only yields to others, without letting any of them run."""
    try:
        while True:
            work.send(None)
    except StopIteration as end:
        value: T = end.value
        return value


@dataclass(frozen=True, slots=True)
class Call:
    """A method of a server's port, to be called there, perhaps several times."""

    name: str
    method: Callable[..., Coroutine[Any, Any, object]]
    args: tuple[object, ...]
    options: Mapping[str, object] = field(default_factory=dict)

    def perform(self) -> object:
        """Do it at once: nothing on a server waits for anything else."""
        return at_once(self.method(*self.args, **self.options))


class Link:
    """One connection of one process to one server."""

    def __init__(
        self, loop: SimulationLoop, server: Server, host: str, weather: Weather, rng: Random, trace: Trace
    ) -> None:
        self._loop = loop
        self.server = server
        self._host = host
        self.weather = weather
        self._draw = rng.random
        self._trace = trace
        self.cut = False
        self.slow = 0.0
        """Seconds that are added to each way, at most."""
        self._connecting = self._draw() if self._draw() < SLOW_CONNECT else 0.0

    async def exchange(self, call: Call, patience: float) -> object:
        """Send, and return the answer; raises the server's own error, LostError, RefusedError or ConflictError."""
        reply: asyncio.Future[object] = self._loop.create_future()
        give_up_at = self._loop.time() + patience
        arrives_at = self._loop.time() + self._latency()
        self._loop.call_at(arrives_at, self._arrive, call, reply, give_up_at, context=self.server.lane.context)
        if arrives_at > give_up_at:
            self._answer(reply, LostError(), give_up_at)
        return await reply

    def _arrive(self, call: Call, reply: "asyncio.Future[object]", give_up_at: float) -> None:
        now = self._loop.time()
        if self.cut or self.server.down:
            quick = self._draw() < 0.5
            error = RefusedError() if quick else LostError()
            self._trace.note(self._host, call.name, "UNREACHABLE")
            self._answer(reply, error, min(give_up_at, now + (self._latency() if quick else NOTICED_AFTER)))
            return
        fate = self._draw()
        weather = self.weather
        if fate < weather.request_lost:
            self._trace.note(self._host, call.name, "REQUEST LOST")
            self._answer(reply, LostError(), min(give_up_at, now + NOTICED_AFTER * self._draw()))
        elif fate < weather.request_lost + weather.conflict:
            self._trace.note(self._host, call.name, "CONFLICT")
            self._answer(reply, ConflictError(), min(give_up_at, now + self._latency()))
        else:
            lost = self._draw() < weather.reply_lost
            outcome = self._perform(call, "REPLY LOST" if lost else "")
            at = now + (NOTICED_AFTER * self._draw() if lost else self._latency())
            self._answer(reply, LostError() if lost or at > give_up_at else outcome, min(give_up_at, at))

    def _perform(self, call: Call, remark: str) -> object:
        self.server.caller = self._host
        try:
            outcome = call.perform()
        except SchedulerError as error:
            outcome = error
        self._trace.note(self._host, call.name, *call.args, "->", outcome, remark)
        return outcome

    def _answer(self, reply: "asyncio.Future[object]", outcome: object, at: float) -> None:
        self._loop.call_at(at, self._deliver, reply, outcome, context=self.server.lane.context)

    def _deliver(self, reply: "asyncio.Future[object]", outcome: object) -> None:
        if reply.done():
            return
        if isinstance(outcome, Exception):
            reply.set_exception(outcome)
        elif self.cut or self.server.down:
            reply.set_exception(LostError())
        else:
            reply.set_result(outcome)

    def _latency(self) -> float:
        connecting, self._connecting = self._connecting, 0.0
        late = 8.0 * self._draw() if self.weather.late and self._draw() < self.weather.late else 0.0
        return 0.0002 + 0.003 * self._draw() ** 3 + self.slow * self._draw() + late + connecting
