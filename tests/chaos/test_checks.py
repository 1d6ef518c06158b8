"""The checker finds every violation that it is there for: a run of evidence that is true, bent in one place."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.state import JobState
from tests.chaos.checks import violations
from tests.chaos.diary import Did, Happening
from tests.chaos.evidence import Ack, Call, Surprise
from tests.chaos.ledger import Mark
from tests.chaos.true_run import FIRST, JOB, OTHER, SECOND, SPEC, World, an_attempt, an_entry, an_event, renewed


def _run_on(world: World, renewed_at: float | None = None) -> None:
    """Let the first handler end after the second one began, perhaps under a renewed lease."""
    world.ledger[2] = an_entry(Mark.ENDED, 6.8)
    if renewed_at is not None:
        world.ledger.append(renewed(renewed_at))


def _lost(world: World) -> None:
    world.records.acks.append(Ack(number=SPEC.number, job_id=OTHER, created=False))


def _unfinished(world: World) -> None:
    world.job = replace(world.job, state=JobState.RUNNING)


def _created_twice(world: World) -> None:
    world.records.acks.append(Ack(number=SPEC.number, job_id=JOB, created=True))


def _second_result(world: World) -> None:
    world.attempts[0] = an_attempt(2, AttemptOutcome.SUCCEEDED)


def _zombie_result(world: World) -> None:
    world.job = replace(world.job, result=f'{{"fence": 2, "worker": "{FIRST}"}}')


def _fence_twice(world: World) -> None:
    world.attempts.append(an_attempt(2, AttemptOutcome.LOST))


def _open_history(world: World) -> None:
    world.attempts[0] = an_attempt(2, None)


def _started_twice(world: World) -> None:
    world.ledger.append(an_entry(Mark.STARTED, 6.5, fence=4, worker=SECOND))


def _ran_unrecorded(world: World) -> None:
    world.ledger += [an_entry(Mark.STARTED, 9.0, fence=9), an_entry(Mark.ENDED, 9.1, fence=9)]


def _never_ran(world: World) -> None:
    world.attempts[0] = an_attempt(3, AttemptOutcome.RETRY)


def _ran_elsewhere(world: World) -> None:
    world.attempts[0] = an_attempt(2, AttemptOutcome.LOST, SECOND)


def _too_many(world: World) -> None:
    world.job = replace(world.job, max_attempts=1)


def _miscounted(world: World) -> None:
    world.job = replace(world.job, attempts=1)


def _revived(world: World) -> None:
    world.records.cancels.append(Call(job_id=JOB, sent_at=1.0, done_at=2.0, granted=True))


def _cancelled_by_nobody(world: World) -> None:
    world.job = replace(world.job, state=JobState.CANCELLED)


def _versions_repeat(world: World) -> None:
    world.records.watches[0].events.insert(1, an_event(1, JobState.QUEUED))


def _watch_hangs(world: World) -> None:
    world.records.watches[0].ended = False


def _watch_ends_early(world: World) -> None:
    world.records.watches[0].events.pop()


def _states_differ(world: World) -> None:
    world.records.watches[0].events[-1] = an_event(5, JobState.FAILED)


def _version_of_nothing(world: World) -> None:
    world.records.watches[0].events[-1] = an_event(6, JobState.SUCCEEDED)


def _left_queued(world: World) -> None:
    world.left.append(JOB)


def _died(world: World) -> None:
    world.happenings += [
        Happening(at=0.0, did=Did.STARTED, whom="worker-1", pid=7),
        Happening(at=30.0, did=Did.ENDED, whom="worker-1", pid=7, detail="exit code 1"),
    ]


def _surprised(world: World) -> None:
    world.records.surprises.append(Surprise(numbers=[SPEC.number], text="INTERNAL"))


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
