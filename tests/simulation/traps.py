"""Harm that is done at the very moment of some call: between two steps that belong together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from scheduler.application.dto import Change, QueueEntry
from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.ids import JobId
from scheduler.domain.state import REQUEUEABLE_STATES
from tests.simulation.client import Client
from tests.simulation.fleet import Fleet
from tests.simulation.host import Host, World
from tests.simulation.network import Call, at_once
from tests.simulation.processes import ReaperProcess
from tests.simulation.sky import BORN_LEAD

if TYPE_CHECKING:
    from random import Random

    from tests.simulation.nemesis import Nemesis

Harm = Callable[[Host, Call], None]
SNAPS = 0.4
"""The chance that a trap snaps at a call of its kind: it is not always the first that matters."""
RECORDED = frozenset({AttemptOutcome.SUCCEEDED, AttemptOutcome.FAILED, AttemptOutcome.TIMED_OUT})
MOMENTS = (
    ("jobs.apply", "done"),
    ("jobs.apply", "arrives"),
    ("jobs.add_all", "done"),
    ("jobs.load_details", "done"),
    ("jobs.load", "done"),
    ("queue.claim", "done"),
    ("queue.enqueue_all", "arrives"),
    ("time.read", "done"),
    ("registry.close_expired", "done"),
    ("lease.renew", "done"),
    ("maintenance.overdue", "done"),
    ("sweeper.queued_page", "done"),
    ("ended.purgeable", "done"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A moment, and what is done then; `when` says more of the moment."""

    call: str
    phase: str = "done"
    harm: Harm
    when: Callable[[Host, Call], bool] = lambda _host, _call: True
    chance: float = SNAPS
    first: Callable[[], None] = lambda: None
    """What brings the moment about."""


class Traps:
    """Sets traps, one at a time for each server."""

    def __init__(self, world: World, fleet: Fleet, clients: Sequence[Client], nemesis: "Nemesis") -> None:
        self._world = world
        self._fleet = fleet
        self._clients = clients
        self._nemesis = nemesis
        self._rng: Random = world.random("traps")
        scenes = self._scenes()
        self.focus = scenes[world.seed // 2 % len(scenes)] if world.is_focused else None

    async def set_one(self) -> None:
        """Wait for some call, and harm its caller, or what it called, in the middle of it."""
        self._set(self.focus or (self._rng.choice(self._scenes()) if self._rng.random() < 0.7 else self._any_scene()))

    def _set(self, scene: Scene) -> None:
        scene.first()

        def trap(host_name: str, call: Call, reached: str) -> bool:
            if (call.name, reached) != (scene.call, scene.phase) or self._rng.random() > scene.chance:
                return False
            host = next((host for host in self._fleet.current if host.name == host_name), None)
            if host is None or not scene.when(host, call):
                return False
            self._world.trace.note("NEMESIS", "trap", host_name, scene.call, scene.phase)
            scene.harm(host, call)
            return True

        servers = self._world.servers
        server = servers.queue_server if scene.call.startswith(("queue", "maintenance")) else servers.store
        server.traps.append(trap)

    def _any_scene(self) -> Scene:
        call, phase = self._rng.choice(MOMENTS)
        nemesis = self._nemesis
        to_one = (nemesis.kill, nemesis.pause, nemesis.cut_store, nemesis.isolate)
        to_all = (nemesis.store_outage, nemesis.flush, nemesis.clock_jump)
        harms: list[Harm] = [
            *(lambda host, _call, deed=deed: nemesis.at(0, partial(deed, host)) for deed in to_one),
            *(lambda _host, _call, deed=deed: nemesis.at(0, deed) for deed in to_all),
        ]
        return Scene(call=call, phase=phase, harm=self._rng.choice(harms))

    def _scenes(self) -> Sequence[Scene]:
        """Return what has to be met more often than chance has it."""
        nemesis = self._nemesis
        return (
            # A write of which its writer never hears, and gives up.
            Scene(call="jobs.apply", harm=lambda host, _: nemesis.at(0, partial(nemesis.cut_store, host, 5.0))),
            Scene(
                call="jobs.apply",
                harm=lambda host, _: nemesis.at(0, partial(nemesis.cut_store, host, 7.0)),
                when=_is_result,
                chance=0.8,
            ),
            # A start that is under way for longer than its lease, in a process or a loop that stands still.
            Scene(call="queue.ack", harm=lambda host, _: nemesis.at(0, partial(nemesis.pause, host, 15.0))),
            Scene(call="queue.ack", harm=self._stand_still),
            # A cancel, or a new life, of what was changed just now.
            Scene(call="jobs.apply", harm=self._let_a_client("cancel")),
            Scene(call="jobs.apply", harm=self._slow_start, when=_is_start),
            Scene(call="jobs.apply", harm=self._slow_start, when=_is_start),
            # A reaper that has read the time, and acts on it when the time is another.
            Scene(
                call="time.read", harm=lambda _host, _: nemesis.at(0, partial(nemesis.clock_jump, 20)), when=_is_patient
            ),
            # Workers that are closed, and no reaper that takes their jobs back.
            Scene(
                call="registry.close_expired",
                harm=self._freeze_reapers,
                when=self._closed_some,
                chance=1.0,
                first=lambda: nemesis.at(0, nemesis.kill_busy),
            ),
            # A submitter that is slower than the sweep.
            Scene(call="jobs.add_all", harm=lambda host, _: nemesis.at(0, partial(nemesis.pause, host, 3.0))),
            # A hand-out that its holder gives back, and another takes, while a reaper looks at it.
            Scene(call="queue.enqueue_all", harm=self._take_and_vanish),
            Scene(call="queue.claim", harm=lambda host, _: nemesis.at(0, partial(nemesis.cut_store, host, 7.0))),
            Scene(call="queue.enqueue_all", harm=lambda _host, _: nemesis.at(0, nemesis.flush)),
            # A requeue of what a purge has found, and not deleted yet.
            Scene(call="ended.purgeable", harm=self._requeue_doomed, when=self._is_doomed, chance=1.0),
        )

    def _let_a_client(self, kind: str) -> Harm:
        def interfere(_host: Host, call: Call) -> None:
            if (job_id := _job_of(call)) is not None:
                self._rng.choice(self._clients).interfere(kind, job_id)

        return interfere

    def _slow_start(self, host: Host, call: Call) -> None:
        """Let a worker wait for its queue, while what it has started is cancelled."""
        self._nemesis.at(0, partial(self._nemesis.slow_queue, host))
        self._let_a_client("cancel")(host, call)

    def _stand_still(self, host: Host, _call: Call) -> None:
        """Let a worker's loop stand still for longer than a start may take, and then wait for its queue."""
        self._nemesis.at(0, partial(self._nemesis.block, host, 18.0))
        self._nemesis.at(0, partial(self._nemesis.slow_queue, host, 20.0))

    def _doomed(self) -> list[JobId]:
        servers = self._world.servers
        before = servers.clock.now() - self._world.keep_for
        jobs = servers.jobs().values()
        return [job.id for job in jobs if job.state in REQUEUEABLE_STATES and job.updated_at < before]

    def _is_doomed(self, _host: Host, _call: Call) -> bool:
        return bool(self._doomed())

    def _requeue_doomed(self, host: Host, _call: Call) -> None:
        self._nemesis.at(0, partial(self._nemesis.pause, host, 0.5))
        for job_id in self._doomed():
            self._rng.choice(self._clients).interfere("requeue", job_id)

    def _closed_some(self, _host: Host, _call: Call) -> bool:
        now = self._world.loop.time()
        return any(closing.at == now and closing.expired for closing in self._world.servers.journal.closings.values())

    def _freeze_reapers(self, _host: Host, _call: Call) -> None:
        for victim in self._fleet.current:
            if isinstance(victim, ReaperProcess):
                self._nemesis.at(0, partial(self._nemesis.pause, victim, 9.0))

    def _take_and_vanish(self, _host: Host, _call: Call) -> None:
        self._nemesis.at(0, self._nemesis.take_and_vanish)
        self._set(Scene(call="maintenance.overdue", harm=self._take_again, when=self._is_overdue, chance=1.0))

    def _is_overdue(self, _host: Host, _call: Call) -> bool:
        servers = self._world.servers
        return any(servers.queue_data().processing.until(servers.queue_state.clock.now()))

    def _take_again(self, _host: Host, _call: Call) -> None:
        servers = self._world.servers
        overdue = list(servers.queue_data().processing.until(servers.queue_state.clock.now()))
        jobs = servers.jobs()
        entries = [
            QueueEntry(job_id=job_id, priority=jobs[job_id].priority, queued_at=jobs[job_id].created_at)
            for job_id in overdue
            if job_id in jobs
        ]
        at_once(servers.queue.give_back(entries))
        at_once(servers.queue.claim(self._nemesis.plan(len(entries)), timedelta(seconds=10)))


def _is_patient(host: Host, _call: Call) -> bool:
    return isinstance(host, ReaperProcess) and host.world.loop.time() - host.born_at > 13


def _is_start(host: Host, call: Call) -> bool:
    if host.world.loop.time() - host.born_at < BORN_LEAD:
        return False
    changes = call.args[0]
    assert isinstance(changes, Sequence)
    return any(isinstance(change, Change) and change.ended is None and change.job.worker_id for change in changes)


def _is_result(_host: Host, call: Call) -> bool:
    changes = call.args[0]
    assert isinstance(changes, Sequence)
    return any(isinstance(change, Change) and change.job.last_outcome in RECORDED for change in changes)


def _job_of(call: Call) -> JobId | None:
    changes = call.args[0]
    assert isinstance(changes, Sequence)
    return next((change.job.id for change in changes if isinstance(change, Change)), None)
