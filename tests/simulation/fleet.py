"""All processes of a run, and the supervisor that starts each again when it has ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.simulation.host import Host, World
from tests.simulation.loop import Lane
from tests.simulation.processes import ApiProcess, ReaperProcess, WorkerProcess

if TYPE_CHECKING:
    from random import Random


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many processes of each kind, and how many slots a worker has."""

    apis: int
    workers: int
    reapers: int
    slots: int


class Fleet:
    """Keeps every process running but for the moments after its end."""

    def __init__(self, world: World, size: Size) -> None:
        self._world = world
        self._size = size
        self._rng: Random = world.random("fleet")
        self._lane = Lane("supervisor")
        self._weighted = self._rng.random() < 0.5
        self.slots: list[tuple[str, int]] = [
            *(("api", number) for number in range(size.apis)),
            *(("worker", number) for number in range(size.workers)),
            *(("reaper", number) for number in range(size.reapers)),
        ]
        self._current: dict[tuple[str, int], Host] = {}
        self.ever: list[Host] = []

    def start_all(self) -> None:
        for slot in self.slots:
            self._start(slot)

    @property
    def current(self) -> Sequence[Host]:
        """Return the processes that live now."""
        return [host for host in self._current.values() if host.alive]

    @property
    def complete(self) -> bool:
        """Tell whether every process lives."""
        return len(self.current) == len(self.slots)

    def apis(self) -> list[ApiProcess]:
        """Return the processes that clients can reach."""
        return [host for host in self.current if isinstance(host, ApiProcess) and host.serving]

    def workers(self) -> list[WorkerProcess]:
        """Return every worker that ever was."""
        return [host for host in self.ever if isinstance(host, WorkerProcess)]

    def _start(self, slot: tuple[str, int]) -> None:
        if self._world.over:
            return
        number = sum(host.name.startswith(f"{slot[0]}-{slot[1]}#") for host in self.ever)
        host = self._make(slot[0], f"{slot[0]}-{slot[1]}#{number}")
        host.on_exit.append(lambda: self._start_later(slot))
        self._current[slot] = host
        self.ever.append(host)

    def _make(self, kind: str, name: str) -> Host:
        self._world.trace.note(name, "STARTS")
        match kind:
            case "api":
                return ApiProcess(self._world, name)
            case "worker":
                return WorkerProcess(self._world, name, slots=self._size.slots, weighted=self._weighted)
            case _:
                return ReaperProcess(self._world, name)

    def _start_later(self, slot: tuple[str, int]) -> None:
        pause = self._rng.uniform(0.3, 4.0)
        self._world.loop.call_later(pause, self._start, slot, context=self._lane.context)
