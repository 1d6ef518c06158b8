"""Where and when nothing was wrong: a bound in time is judged there, and under the faults for which it is promised."""

from dataclasses import dataclass

from tests.simulation.fleet import Fleet
from tests.simulation.host import Host, World
from tests.simulation.processes import ReaperProcess, WorkerProcess

LEAD = 8.0
"""Seconds after a trouble until its effects are over: pauses after faults grow to 6 s, a circuit breaker's to 1 s."""
BORN_LEAD = 3.0
"""Seconds after its start until a process is at work."""
JUMP_LEAD = 45.0
"""The same for a jump of the store's clock: one lease of patience, and what clocks take to follow."""


@dataclass(frozen=True, slots=True)
class Sky:
    """Answers for any stretch of a run."""

    world: World
    fleet: Fleet

    def is_fair(self, since: float, until: float) -> bool:
        """Return whether messages arrived in time, and the store's clock ran evenly."""
        jumps = self.world.servers.clock.jumps
        jumped = any(since - JUMP_LEAD <= jump <= until for jump in jumps)
        return not jumped and (not self.world.rough or since - LEAD >= self.world.healed_at)

    def store_is_well(self, since: float, until: float, *, slow: bool = False) -> bool:
        """Return whether the store answered; `slow` allows for statements that take a while."""
        kinds = frozenset({"down", "locked"}) if slow else None
        return not self.world.servers.store.troubles.any(since - LEAD, until, kinds)

    def queue_is_well(self, since: float, until: float) -> bool:
        return not self.world.servers.queue_server.troubles.any(since - LEAD, until)

    def is_well(self, host: Host, since: float, until: float, *, besides: frozenset[str] = frozenset()) -> bool:
        """Return whether a process lived and worked all the time, some troubles aside."""
        lived = host.born_at <= since - BORN_LEAD and (host.died_at is None or host.died_at > until)
        return lived and not any(
            trouble.touches(since - LEAD, until) for trouble in host.troubles.ever if trouble.kind not in besides
        )

    def all_are_well(self, since: float, until: float) -> bool:
        """Return whether no process was in trouble, or ended."""
        return all(
            self.is_well(host, since, until)
            for host in self.fleet.ever
            if host.died_at is None or host.died_at > since - LEAD
        )

    def a_reaper_is_well(self, since: float, until: float, *, besides: frozenset[str] = frozenset()) -> bool:
        return any(
            self.is_well(host, since, until, besides=besides)
            for host in self.fleet.ever
            if isinstance(host, ReaperProcess)
        )

    def workers(self, since: float, until: float) -> list[WorkerProcess]:
        """Return the workers that were well."""
        return [host for host in self.fleet.workers() if self.is_well(host, since, until)]

    def hints_flow(self, name: str, until: float) -> bool:
        """Return whether what a process published was heard at once.

        A breaker that opened stays so until its process tries again, which may be long after the trouble.
        """
        host = next((host for host in self.fleet.ever if host.name == name), None)
        troubles = self.world.servers.queue_server.troubles
        return (
            not self.world.hint_lost
            and not self.world.rough
            and not troubles.any(0, until, frozenset({"down"}))
            and host is not None
            and (host.died_at is None or host.died_at > until)
            and not host.troubles.any(0, until)
        )

    def statement(self) -> float:
        """Return how long a statement takes at most while the store is well."""
        return self.world.servers.engine.pace + 0.02
