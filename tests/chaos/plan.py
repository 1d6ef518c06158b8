"""The faults of a chaos run, drawn from its seed together with its load: the same seed, the same plan."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from tests.chaos.specs import Load, draw_load

APIS = ("api-1", "api-2")
WORKERS = ("worker-1", "worker-2", "worker-3")
REAPERS = ("reaper-1", "reaper-2")
PROCESSES = (*APIS, *WORKERS, *REAPERS)
JOBS_PER_SECOND = 10.0
SETTLE_SECONDS = 1.0
"""No fault begins before, and the last ends by the plan's end."""


class FaultKind(StrEnum):
    KILL = "kill -9"
    PAUSE = "SIGSTOP"
    STOP = "SIGTERM"
    SQL_KILL = "kill PostgreSQL"
    SQL_RESTART = "restart PostgreSQL"
    SQL_FREEZE = "freeze PostgreSQL"
    REDIS_KILL = "kill Valkey"
    REDIS_RESTART = "restart Valkey"
    REDIS_FREEZE = "freeze Valkey"
    REDIS_EMPTY = "fail over to an empty Valkey"
    REDIS_REWIND = "bring Valkey back with old data"
    FLUSHALL = "FLUSHALL"
    JUNK = "put wrong types and junk"
    GHOSTS = "put ended and unknown jobs"
    TWICE = "put started jobs again"
    HIDE = "remove queue entries"
    VANISH = "claim and vanish"
    DELAY = "delay"
    CUT = "cut"
    REFUSE = "refuse"
    BLACK_HOLE = "black hole"
    DROP_REPLIES = "drop replies"
    DROP_REQUESTS = "drop requests"
    LOSE_REPLY = "lose the reply to"
    LOCK = "lock the table of jobs"
    VACUUM = "VACUUM FULL"
    FILL = "fill the disk"
    SQL_PROMOTE = "promote a PostgreSQL standby that lags"
    REDIS_PROMOTE = "promote a Valkey replica that lags"
    BURN = "burn processor time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault, its beginning and its length in seconds.

    `target` is a process or a process's link ("api-1/sql"), or several joined by "+".
    """

    at: float
    lasts: float
    kind: FaultKind
    target: str
    detail: str = ""

    @property
    def targets(self) -> Sequence[str]:
        return self.target.split("+")

    def __str__(self) -> str:
        return f"{self.at:9.3f} +{self.lasts:6.3f}  {self.kind} {self.target} {self.detail}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    seed: int
    seconds: float
    load: Load
    lanes: Sequence[Sequence[Fault]]
    """Faults of one lane follow each other; lanes run side by side."""

    @property
    def faults(self) -> Sequence[Fault]:
        return sorted((fault for lane in self.lanes for fault in lane), key=lambda fault: fault.at)


def draw_plan(seed: int, seconds: float) -> Plan:
    """Draw a plan."""
    random = Random(seed)
    load = draw_load(random, seconds=seconds, jobs_per_second=JOBS_PER_SECOND, run=f"seed-{seed}")
    drawers = (_on_process, _on_postgres, _on_valkey, _on_link("sql"), _on_link("redis"), _on_machine)
    lanes = [tuple(_lane(random, seconds, drawer)) for drawer in drawers]
    return Plan(seed=seed, seconds=seconds, load=load, lanes=lanes)


Drawn = tuple[FaultKind, str, float, str, float]
"""Kind, target, length, detail, and the mean pause after it."""
Drawer = Callable[[Random], Drawn]


def _lane(random: Random, seconds: float, draw: Drawer) -> Iterator[Fault]:
    at = SETTLE_SECONDS + random.uniform(0, 3)
    while True:
        kind, target, lasts, detail, pause = draw(random)
        if at + lasts > seconds:
            return
        yield Fault(at=at, lasts=lasts, kind=kind, target=target, detail=detail)
        at += lasts + random.uniform(0.2, 1.8) * pause


def _on_process(random: Random) -> Drawn:
    target = random.choice((*PROCESSES, *WORKERS, *WORKERS))
    kind = random.choice((FaultKind.KILL, FaultKind.KILL, FaultKind.PAUSE, FaultKind.STOP))
    lasts = random.uniform(1, 9) if kind is FaultKind.PAUSE else random.uniform(0, 2)
    if random.random() < 0.2:
        # All reapers for longer than a lease, or two processes of a job's way at once.
        target = random.choice(("+".join(REAPERS), f"{random.choice(APIS)}+{random.choice(WORKERS)}"))
        lasts = random.uniform(5, 9)
    return kind, target, lasts, "", 2.0


def _on_postgres(random: Random) -> Drawn:
    kind = random.choice(
        (
            FaultKind.SQL_KILL,
            FaultKind.SQL_RESTART,
            FaultKind.SQL_FREEZE,
            FaultKind.SQL_PROMOTE,
            FaultKind.LOCK,
            FaultKind.VACUUM,
            FaultKind.FILL,
        )
    )
    lasts = random.choice((0.0, 1.0, random.uniform(0, 6)))
    lag = f"{random.uniform(0.2, 2.0):.3f}" if kind is FaultKind.SQL_PROMOTE else ""
    return kind, "postgres", lasts, lag, 12.0


def _on_valkey(random: Random) -> Drawn:
    kind = random.choice(
        (
            FaultKind.REDIS_KILL,
            FaultKind.REDIS_RESTART,
            FaultKind.REDIS_FREEZE,
            FaultKind.REDIS_EMPTY,
            FaultKind.REDIS_REWIND,
            FaultKind.FLUSHALL,
            FaultKind.FLUSHALL,
            FaultKind.JUNK,
            FaultKind.GHOSTS,
            FaultKind.TWICE,
            FaultKind.TWICE,
            FaultKind.HIDE,
            FaultKind.VANISH,
            FaultKind.REDIS_PROMOTE,
        )
    )
    lag = f"{random.uniform(0.2, 3.0):.3f}" if kind is FaultKind.REDIS_PROMOTE else ""
    return kind, "valkey", random.uniform(0, 5), lag, 3.0


def _on_machine(random: Random) -> Drawn:
    return FaultKind.BURN, "machine", random.uniform(2, 8), str(random.choice((2, 4))), 15.0


def _on_link(server: str) -> Drawer:
    doomed = {"sql": ("RUNNING", "SUCCEEDED", "QUEUED", "RETRYING", "CANCELLED"), "redis": ("EVALSHA", "PUBLISH")}

    def draw(random: Random) -> Drawn:
        kind = random.choice(
            (
                FaultKind.DELAY,
                FaultKind.CUT,
                FaultKind.REFUSE,
                FaultKind.BLACK_HOLE,
                FaultKind.DROP_REPLIES,
                FaultKind.DROP_REQUESTS,
                FaultKind.LOSE_REPLY,
                FaultKind.LOSE_REPLY,
                FaultKind.LOSE_REPLY,
            )
        )
        detail = random.choice(doomed[server]) if kind is FaultKind.LOSE_REPLY else ""
        # Workers cut off for longer than a lease are what leases are for.
        target = random.choice((*PROCESSES, *WORKERS))
        lasts = random.choice((random.uniform(0.5, 4), random.uniform(4, 10)))
        # Up to the limit of a statement.
        seconds = random.choice((random.uniform(0.01, 0.3), random.uniform(0.3, 5.0)))
        delay = f"{seconds:.3f}" if kind is FaultKind.DELAY else ""
        return kind, _links(random, target, server), lasts, detail or delay, 1.5

    return draw


def _links(random: Random, target: str, server: str) -> str:
    """Draw this link alone, or with another one: of another process to the same server, or of this one to both."""
    other = random.choice([name for name in PROCESSES if name != target])
    both = f"{target}/sql+{target}/redis"
    return random.choices((f"{target}/{server}", f"{target}/{server}+{other}/{server}", both), (6, 1, 1))[0]
