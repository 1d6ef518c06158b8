"""How each fault of a plan is caused and healed. Blocking: to be run in a thread of its lane."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial

from tests.chaos.diary import Did
from tests.chaos.fleet import Fleet
from tests.chaos.plan import Fault, FaultKind
from tests.chaos.shortage import burn, hold_jobs, rewrite_jobs
from tests.chaos.tamper import Tamper
from tests.support.proxy import FaultProxy

Act = Callable[[], object]


def nothing() -> None:
    """Heal what heals by itself."""


class Nemesis:
    """Causes and heals faults, and writes both into the fleet's diary."""

    def __init__(self, fleet: Fleet, tamper: Tamper) -> None:
        self._fleet = fleet
        self._tamper = tamper
        self._held = ExitStack()
        """A lock on the table of jobs."""
        self._burning = ExitStack()

    def cause(self, fault: Fault) -> None:
        detail = f"{fault.kind} {fault.detail} for {fault.lasts:.1f} s"
        for target in fault.targets:
            self._fleet.diary.note(Did.FAULT, target, detail=detail)
            self._acts(fault, target)[0]()

    def heal(self, fault: Fault) -> None:
        for target in fault.targets:
            self._acts(fault, target)[1]()
            self._fleet.diary.note(Did.HEALED, target, detail=str(fault.kind))

    def _acts(self, fault: Fault, target: str) -> tuple[Act, Act]:
        if "/" in target:
            return self._on_link(fault, target)
        if target in self._fleet.parts:
            return self._on_process(fault, target)
        if fault.detail:
            return self._on_machine(fault)
        return self._on_servers()[fault.kind]

    def _on_process(self, fault: Fault, target: str) -> tuple[Act, Act]:
        part = self._fleet.parts[target]
        acts: Mapping[FaultKind, tuple[Act, Act]] = {
            FaultKind.KILL: (part.kill, part.start),
            FaultKind.PAUSE: (part.pause, part.resume),
            FaultKind.STOP: (part.stop, part.start),
        }
        return acts[fault.kind]

    def _on_link(self, fault: Fault, target: str) -> tuple[Act, Act]:
        name, _, server = target.partition("/")
        part = self._fleet.parts[name]
        link = part.sql if server == "sql" else part.redis
        return partial(link.do, _proxy_fault(fault)), link.heal

    def _on_machine(self, fault: Fault) -> tuple[Act, Act]:
        amount, fleet = float(fault.detail), self._fleet
        acts: Mapping[FaultKind, tuple[Act, Act]] = {
            FaultKind.SQL_PROMOTE: (partial(fleet.fail_over_sql, amount), fleet.promote_sql),
            FaultKind.REDIS_PROMOTE: (partial(fleet.fail_over_redis, amount), fleet.promote_redis),
            FaultKind.BURN: (partial(self._burn, int(amount), fault.lasts + 5), self._burning.close),
        }
        return acts[fault.kind]

    def _burn(self, processes: int, seconds: float) -> None:
        self._burning.enter_context(burn(processes, seconds))

    def _hold_jobs(self) -> None:
        self._held.enter_context(hold_jobs(self._fleet.postgres.url))

    def _fill(self) -> None:
        if why_not := self._fleet.disk.why_not:
            self._fleet.diary.note(Did.NOTED, "postgres", detail=f"the disk is not filled: {why_not}")
        else:
            self._fleet.disk.fill()

    def _free(self) -> None:
        self._fleet.disk.free()
        self._fleet.postgres.start()  # without space for its log it ends

    def _on_servers(self) -> Mapping[FaultKind, tuple[Act, Act]]:
        sql, redis, tamper = self._fleet.postgres, self._fleet.valkey, self._tamper
        return {
            FaultKind.SQL_KILL: (sql.kill, sql.start),
            FaultKind.SQL_RESTART: (sql.stop, sql.start),
            FaultKind.SQL_FREEZE: (sql.freeze, sql.thaw),
            FaultKind.LOCK: (self._hold_jobs, self._held.close),
            FaultKind.VACUUM: (partial(rewrite_jobs, sql.url), nothing),
            FaultKind.FILL: (self._fill, self._free),
            FaultKind.REDIS_KILL: (redis.kill, redis.start),
            FaultKind.REDIS_RESTART: (redis.stop, redis.start),
            FaultKind.REDIS_FREEZE: (redis.freeze, redis.thaw),
            FaultKind.REDIS_EMPTY: (tamper.kill_and_empty, redis.start),
            FaultKind.REDIS_REWIND: (tamper.remember, tamper.rewind),
            FaultKind.FLUSHALL: (tamper.flush, nothing),
            FaultKind.JUNK: (tamper.put_junk, nothing),
            FaultKind.GHOSTS: (tamper.put_ghosts, nothing),
            FaultKind.TWICE: (tamper.put_started_again, nothing),
            FaultKind.HIDE: (tamper.hide, nothing),
            FaultKind.VANISH: (tamper.vanish, nothing),
        }


def _proxy_fault(fault: Fault) -> Callable[[FaultProxy], None]:
    acts: Mapping[FaultKind, Callable[[FaultProxy], None]] = {
        FaultKind.DELAY: lambda proxy: proxy.delay(float(fault.detail)),
        FaultKind.CUT: FaultProxy.cut,
        FaultKind.REFUSE: FaultProxy.refuse,
        FaultKind.BLACK_HOLE: FaultProxy.black_hole,
        FaultKind.DROP_REPLIES: FaultProxy.drop_replies,
        FaultKind.DROP_REQUESTS: FaultProxy.drop_requests,
        FaultKind.LOSE_REPLY: lambda proxy: proxy.lose_reply_to(fault.detail.encode()),
    }
    return acts[fault.kind]
