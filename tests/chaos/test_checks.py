"""The checker finds every violation that it is there for: a run of evidence that is true, bent in one place."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random

import pytest

from scheduler.adapters.grpc.client_views import AttemptView, EventView, JobView
from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.priority import Priority
from scheduler.domain.state import JobState
from tests.chaos.checks import violations
from tests.chaos.diary import Did, Happening
from tests.chaos.evidence import Ack, Call, Evidence, Records, WatchRecord
from tests.chaos.handler import SUCCESS
from tests.chaos.ledger import Entry, Mark
from tests.chaos.specs import JobSpec, draw_load

NOW = datetime(2026, 3, 4, tzinfo=UTC)
FIRST, SECOND = "first-worker", "second-worker"
LEASE = 4.0


def _entry(mark: Mark, at: float, *, fence: int = 2, worker: str = FIRST, detail: str = "") -> Entry:
    pid = 1 if worker == FIRST else 2
    return Entry(mark=mark, at=at, pid=pid, worker_id=worker, job_id=JOB, fence=fence, attempt=1, detail=detail)


def _renewed(at: float, worker: str = FIRST) -> Entry:
    return Entry(mark=Mark.RENEWED, at=at, pid=0, worker_id=worker, detail=f"{LEASE:g}")


def _attempt(fence: int, outcome: AttemptOutcome | None, worker: str = FIRST) -> AttemptView:
    return AttemptView(
        fence=fence, number=1, worker_id=worker, started_at=NOW, finished_at=NOW, outcome=outcome, error=""
    )


def _event(version: int, state: JobState) -> EventView:
    return EventView(job_id=JOB, state=state, message="", at=NOW, attempts=1, version=version, last_error="")


def _spec() -> JobSpec:
    """Draw one whose handler stops when it is told to."""
    specs = draw_load(Random(1), seconds=20, jobs_per_second=5, run="test").specs
    return next(spec for spec in specs if spec.is_cooperative and spec.key is not None)


SPEC = _spec()
JOB, OTHER = (str(job_id) for job_id in SPEC.ids)


@dataclass(slots=True)
class World:
    """One job that was lost once and then succeeded, and all that was seen of it."""

    job: JobView
    attempts: list[AttemptView]
    ledger: list[Entry]
    records: Records
    happenings: list[Happening] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    @classmethod
    def true(cls) -> "World":
        watch = WatchRecord(JOB, [_event(1, JobState.QUEUED), _event(5, JobState.SUCCEEDED)], ended=True)
        return cls(
            job=JobView(
                job_id=JOB,
                state=JobState.SUCCEEDED,
                type="",
                priority=Priority.DEFAULT,
                attempts=2,
                max_attempts=2,
                losses=1,
                version=5,
                last_error="",
                worker_id=SECOND,
                labels={},
                created_at=NOW,
                updated_at=NOW,
                run_at=NOW,
                started_at=NOW,
                finished_at=NOW,
                payload=None,
                result=f'{{"fence": 4, "worker": "{SECOND}"}}',
            ),
            attempts=[_attempt(2, AttemptOutcome.LOST), _attempt(4, AttemptOutcome.SUCCEEDED, SECOND)],
            ledger=[
                _renewed(0.0),
                _entry(Mark.STARTED, 1.0),
                _entry(Mark.CANCELLED, 3.0),
                _renewed(5.0, SECOND),
                _entry(Mark.STARTED, 6.0, fence=4, worker=SECOND),
                _entry(Mark.ENDED, 7.0, fence=4, worker=SECOND, detail=SUCCESS),
            ],
            records=Records(acks=[Ack(number=SPEC.number, job_id=JOB, created=True)], watches=[watch]),
        )

    def evidence(self) -> Evidence:
        return Evidence(
            specs=[SPEC],
            records=self.records,
            jobs={self.job.job_id: self.job},
            attempts={self.job.job_id: self.attempts},
            ledger=self.ledger,
            happenings=self.happenings,
            left_in_redis=self.left,
        )


def _run_on(world: World, renewed_at: float | None = None) -> None:
    """Let the first handler end after the second one began, perhaps under a renewed lease."""
    world.ledger[2] = _entry(Mark.ENDED, 6.8)
    if renewed_at is not None:
        world.ledger.append(_renewed(renewed_at))


def _lost(world: World) -> None:
    world.records.acks.append(Ack(number=SPEC.number, job_id=OTHER, created=False))


def _unfinished(world: World) -> None:
    world.job = replace(world.job, state=JobState.RUNNING)


def _created_twice(world: World) -> None:
    world.records.acks.append(Ack(number=SPEC.number, job_id=JOB, created=True))


def _second_result(world: World) -> None:
    world.attempts[0] = _attempt(2, AttemptOutcome.SUCCEEDED)


def _zombie_result(world: World) -> None:
    world.job = replace(world.job, result=f'{{"fence": 2, "worker": "{FIRST}"}}')


def _fence_twice(world: World) -> None:
    world.attempts.append(_attempt(2, AttemptOutcome.LOST))


def _open_history(world: World) -> None:
    world.attempts[0] = _attempt(2, None)


def _started_twice(world: World) -> None:
    world.ledger.append(_entry(Mark.STARTED, 6.5, fence=4, worker=SECOND))


def _ran_unrecorded(world: World) -> None:
    world.ledger += [_entry(Mark.STARTED, 9.0, fence=9), _entry(Mark.ENDED, 9.1, fence=9)]


def _never_ran(world: World) -> None:
    world.attempts[0] = _attempt(3, AttemptOutcome.RETRY)


def _ran_elsewhere(world: World) -> None:
    world.attempts[0] = _attempt(2, AttemptOutcome.LOST, SECOND)


def _too_many(world: World) -> None:
    world.job = replace(world.job, max_attempts=1)


def _miscounted(world: World) -> None:
    world.job = replace(world.job, attempts=1)


def _revived(world: World) -> None:
    world.records.cancels.append(Call(job_id=JOB, sent_at=1.0, done_at=2.0, granted=True))


def _cancelled_by_nobody(world: World) -> None:
    world.job = replace(world.job, state=JobState.CANCELLED)


def _versions_repeat(world: World) -> None:
    world.records.watches[0].events.insert(1, _event(1, JobState.QUEUED))


def _watch_hangs(world: World) -> None:
    world.records.watches[0].ended = False


def _watch_ends_early(world: World) -> None:
    world.records.watches[0].events.pop()


def _states_differ(world: World) -> None:
    world.records.watches[0].events[-1] = _event(5, JobState.FAILED)


def _version_of_nothing(world: World) -> None:
    world.records.watches[0].events[-1] = _event(6, JobState.SUCCEEDED)


def _left_queued(world: World) -> None:
    world.left.append(JOB)


def _died(world: World) -> None:
    world.happenings += [
        Happening(at=0.0, did=Did.STARTED, whom="worker-1", pid=7),
        Happening(at=30.0, did=Did.ENDED, whom="worker-1", pid=7, detail="exit code 1"),
    ]


def _surprised(world: World) -> None:
    world.records.surprises.append("INTERNAL")


def _valid_leases_overlap(world: World) -> None:
    _run_on(world, renewed_at=3.0)


BENT: list[tuple[Callable[[World], None], str]] = [
    (_lost, "is lost"),
    (_unfinished, "is still RUNNING"),
    (_created_twice, "was created 2 times"),
    (_second_result, "2 accepted results"),
    (_zombie_result, "of another attempt"),
    (_fence_twice, "has the fences"),
    (_open_history, "without an outcome"),
    (_started_twice, "was started 2 times"),
    (_ran_unrecorded, "not in the history"),
    (_never_ran, "never ran"),
    (_ran_elsewhere, "the history says"),
    (_too_many, "was tried 2 times"),
    (_miscounted, "counts 1 attempts"),
    (_revived, "was cancelled and is SUCCEEDED"),
    (_cancelled_by_nobody, "nobody asked for it"),
    (_versions_repeat, "saw the versions"),
    (_watch_hangs, "never ended"),
    (_watch_ends_early, "ended with"),
    (_states_differ, "was seen as"),
    (_version_of_nothing, "a watcher saw 6"),
    (_left_queued, "still queued"),
    (_died, "ended by itself"),
    (_surprised, "INTERNAL"),
    (_valid_leases_overlap, "under a valid lease"),
    (_run_on, "past its lease"),
]


def test_nothing_is_found_where_everything_is_as_it_should_be() -> None:
    assert not violations(World.true().evidence())


@pytest.mark.parametrize(("bend", "found"), BENT, ids=[bend.__name__.strip("_") for bend, _ in BENT])
def test_each_violation_is_found(bend: Callable[[World], None], found: str) -> None:
    world = World.true()
    bend(world)

    assert any(found in text for text in violations(world.evidence()))


def test_a_handler_whose_process_was_stopped_may_run_on() -> None:
    world = World.true()
    _run_on(world)
    world.happenings.append(Happening(at=2.0, did=Did.PAUSED, whom="worker-1", pid=1))

    assert not violations(world.evidence())


def test_a_handler_whose_process_had_gone_on_long_ago_may_not() -> None:
    world = World.true()
    _run_on(world)
    world.happenings.append(Happening(at=2.0, did=Did.PAUSED, whom="worker-1", pid=1))
    world.happenings.append(Happening(at=2.5, did=Did.RESUMED, whom="worker-1", pid=1))

    assert any("past its lease" in text for text in violations(world.evidence()))
