"""The way from a process to a server and back, on which anything can be lost, late or cut."""

from collections.abc import Callable, Coroutine, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

from scheduler.domain.errors import SchedulerError
from tests.simulation.loop import Lane, SimulationLoop
from tests.simulation.trace import Trace
from tests.simulation.troubles import Troubles

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """The chance of each small misfortune of one request."""

    request_lost: float = 0.0
    reply_lost: float = 0.0
    conflict: float = 0.0
    late: float = 0.0
    """Of being delayed by seconds, perhaps past its sender's patience."""


CALM = Weather()


cause: ContextVar[object] = ContextVar("cause", default=None)
"""The client's call that is being served."""


class Server:
    """A server: up or down for everybody."""

    def __init__(self, name: str, loop: SimulationLoop) -> None:
        self.name = name
        self.lane = Lane(name)
        self.troubles = Troubles(loop.time)
        self.down = False
        self.life = 0
        """Grows with each end of the server: what it had not committed by then is gone."""
        self.slow = 0.0
        """Seconds that each statement takes, at most."""
        self.caller = ""
        """Whose request is being served."""
        self.cause: object = None
        """The client's call behind it."""
        self.traps: list[Trap] = []

    def goes_down(self) -> None:
        self.down = True
        self.life += 1
        self.troubles.begin("down")

    def comes_up(self) -> None:
        self.down = False
        self.troubles.end("down")

    def reached(self, host: str, call: "Call", phase: str) -> None:
        """Let traps snap, each once."""
        for trap in tuple(self.traps):
            if trap(host, call, phase):
                self.traps.remove(trap)


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """Run what only yields to others, without letting any of them run."""
    try:
        while True:
            work.send(None)
    except StopIteration as end:
        value: T = end.value
        return value


Trap = Callable[[str, "Call", str], bool]
"""Told of each call to a server, by its caller, when it arrives and when it is done; returns whether it has snapped."""


@dataclass(frozen=True, slots=True)
class Call:
    """A method of a server's port, to be called there, perhaps several times."""

    name: str
    method: Callable[..., Coroutine[Any, Any, object]]
    args: tuple[object, ...]
    options: Mapping[str, object] = field(default_factory=dict)
    cause: object = None

    def perform(self) -> object:
        """Do it at once: nothing on a server waits for anything else."""
        return at_once(self.method(*self.args, **self.options))


class Link:
    """One connection of one process to one server."""

    def __init__(
        self, loop: SimulationLoop, server: Server, host: str, weather: Weather, rng: Random, trace: Trace
    ) -> None:
        self.loop = loop
        self.server = server
        self.host = host
        self.weather = weather
        self.rng = rng
        self.draw = rng.random
        self.trace = trace
        self.cut = False
        self.slow = 0.0
        """Seconds that are added to each way, at most."""
        self._connecting = self.draw() if self.draw() < SLOW_CONNECT else 0.0

    @property
    def is_broken(self) -> bool:
        return self.cut or self.server.down

    async def exchange(self, call: Call, patience: float) -> object:
        """Send, and return the answer; raises the server's own error, LostError or RefusedError."""
        reply: asyncio.Future[object] = self.loop.create_future()
        give_up_at = self.loop.time() + patience
        arrives_at = self.loop.time() + self.latency()
        self.loop.call_at(arrives_at, self._arrive, call, reply, give_up_at, context=self.server.lane.context)
        if arrives_at > give_up_at:
            self._answer(reply, LostError(), give_up_at)
        return await reply

    def _arrive(self, call: Call, reply: "asyncio.Future[object]", give_up_at: float) -> None:
        now = self.loop.time()
        self.server.reached(self.host, call, "arrives")
        if self.is_broken:
            quick = self.draw() < 0.5
            error = RefusedError() if quick else LostError()
            self.trace.note(self.host, call.name, "UNREACHABLE")
            self._answer(reply, error, min(give_up_at, now + (self.latency() if quick else NOTICED_AFTER)))
            return
        fate = self.draw()
        weather = self.weather
        if fate < weather.request_lost:
            self.trace.note(self.host, call.name, "REQUEST LOST")
            self._answer(reply, LostError(), min(give_up_at, now + NOTICED_AFTER * self.draw()))
        elif fate < weather.request_lost + weather.conflict:
            self.trace.note(self.host, call.name, "CONFLICT")
            self._answer(reply, RefusedError(), min(give_up_at, now + self.latency()))
        else:
            lost = self.draw() < weather.reply_lost
            outcome = self._perform(call, "REPLY LOST" if lost else "")
            self.server.reached(self.host, call, "done")
            at = now + (NOTICED_AFTER * self.draw() if lost else self.latency())
            self._answer(reply, LostError() if lost or at > give_up_at else outcome, min(give_up_at, at))

    def _perform(self, call: Call, remark: str) -> object:
        self.server.caller, self.server.cause = self.host, call.cause
        try:
            outcome = call.perform()
        except SchedulerError as error:
            outcome = error
        self.trace.note(self.host, call.name, *call.args, "->", outcome, remark)
        return outcome

    def _answer(self, reply: "asyncio.Future[object]", outcome: object, at: float) -> None:
        self.loop.call_at(at, self._deliver, reply, outcome, context=self.server.lane.context)

    def _deliver(self, reply: "asyncio.Future[object]", outcome: object) -> None:
        if reply.done():
            return
        if isinstance(outcome, Exception):
            reply.set_exception(outcome)
        elif self.is_broken:
            reply.set_exception(LostError())
        else:
            reply.set_result(outcome)

    def latency(self) -> float:
        connecting, self._connecting = self._connecting, 0.0
        late = 8.0 * self.draw() if self.weather.late and self.draw() < self.weather.late else 0.0
        return 0.0002 + 0.003 * self.draw() ** 3 + self.slow * self.draw() + late + connecting
