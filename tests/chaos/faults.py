"""How each fault of a plan is caused and healed. Blocking: to be run in a thread of its lane."""

from collections.abc import Callable, Mapping
from functools import partial

from tests.chaos.diary import Did
from tests.chaos.fleet import Fleet
from tests.chaos.plan import Fault, FaultKind
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

    def cause(self, fault: Fault) -> None:
        self._fleet.diary.note(Did.FAULT, fault.target, detail=f"{fault.kind} {fault.detail} for {fault.lasts:.1f} s")
        self._acts(fault)[0]()

    def heal(self, fault: Fault) -> None:
        self._acts(fault)[1]()
        self._fleet.diary.note(Did.HEALED, fault.target, detail=str(fault.kind))

    def _acts(self, fault: Fault) -> tuple[Act, Act]:
        if "/" in fault.target:
            return self._on_link(fault)
        if fault.target in self._fleet.parts:
            return self._on_process(fault)
        return self._on_servers()[fault.kind]

    def _on_process(self, fault: Fault) -> tuple[Act, Act]:
        part = self._fleet.parts[fault.target]
        acts: Mapping[FaultKind, tuple[Act, Act]] = {
            FaultKind.KILL: (part.kill, part.start),
            FaultKind.PAUSE: (part.pause, part.resume),
            FaultKind.STOP: (part.stop, part.start),
        }
        return acts[fault.kind]

    def _on_link(self, fault: Fault) -> tuple[Act, Act]:
        name, _, server = fault.target.partition("/")
        part = self._fleet.parts[name]
        link = part.sql if server == "sql" else part.redis
        return partial(link.do, _proxy_fault(fault)), link.heal

    def _on_servers(self) -> Mapping[FaultKind, tuple[Act, Act]]:
        sql, redis, tamper = self._fleet.postgres, self._fleet.valkey, self._tamper
        return {
            FaultKind.SQL_KILL: (sql.kill, sql.start),
            FaultKind.SQL_RESTART: (sql.stop, sql.start),
            FaultKind.SQL_FREEZE: (sql.freeze, sql.thaw),
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
    def cause(proxy: FaultProxy) -> None:
        match fault.kind:
            case FaultKind.DELAY:
                proxy.delay(float(fault.detail))
            case FaultKind.CUT:
                proxy.cut()
            case FaultKind.REFUSE:
                proxy.refuse()
            case FaultKind.BLACK_HOLE:
                proxy.black_hole()
            case FaultKind.DROP_REPLIES:
                proxy.drop_replies()
            case FaultKind.LOSE_REPLY:
                proxy.lose_reply_to(fault.detail.encode())
            case _:
                raise AssertionError(fault)

    return cause
