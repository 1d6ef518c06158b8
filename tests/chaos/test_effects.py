"""The checks of calls, times and fail-overs find each violation: true evidence, bent in one place."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.state import JobState
from tests.chaos.checks import violations
from tests.chaos.diary import Did, Happening
from tests.chaos.evidence import Ack, Call
from tests.chaos.failover import FailOver
from tests.chaos.ledger import Mark
from tests.chaos.true_run import JOB, NOW, SPEC, World, an_attempt, an_entry, renewed


def _moved_once_more(world: World) -> None:
    world.job = replace(world.job, version=6)


def _requeue_without_effect(world: World) -> None:
    world.records.requeues.append(_requeued(at=3, to=4))


def _requeue_to_the_same(world: World) -> None:
    world.records.requeues.append(_requeued(at=3, to=3))


def _requeue_of_the_past(world: World) -> None:
    world.records.requeues.append(replace(_requeued(at=3, to=4), is_stale=True))


def _requeue_undone(world: World) -> None:
    world.records.requeues.append(_requeued(at=5, to=6))


def _old_payload(world: World) -> None:
    world.job = replace(world.job, payload='{"mark": "another"}')


def _ran_the_old_payload(world: World) -> None:
    world.records.requeues.append(replace(_requeued(at=2, to=3), mark="new"))


def _early(world: World) -> None:
    world.spec = replace(SPEC, run_after=3.0)


def _restless(world: World) -> None:
    world.quiet_after = 100.0


def _recovered_late(world: World) -> None:
    world.attempts[0] = replace(world.attempts[0], finished_at=NOW + timedelta(seconds=20))


def _cancelled_and_went_on(world: World) -> None:
    _cancelled_at(world, 1.5)


def _lost_in_a_later_life(world: World) -> None:
    world.records.purges.append(Call(job_id=JOB, sent_at=8.0, done_at=9.0, granted=True))
    world.records.acks.append(Ack(number=SPEC.number, job_id=JOB, created=True, at=10.0))
    world.is_stored = False


def _ran_after_the_purge(world: World) -> None:
    world.records.purges.append(Call(job_id=JOB, sent_at=0.1, done_at=0.2, granted=True))
    world.ledger += [an_entry(Mark.STARTED, 9.0, fence=9), an_entry(Mark.ENDED, 9.1, fence=9)]


def _created_more_than_purged(world: World) -> None:
    world.records.purges.append(Call(job_id=JOB, sent_at=8.0, done_at=9.0, granted=True))
    world.records.acks += [Ack(number=SPEC.number, job_id=JOB, created=True, at=10.0)] * 2


def _lost_beside_a_fail_over(world: World) -> None:
    world.fail_overs.append(_failed_over())
    world.is_stored = False


def _lost_though_the_standby_had_it(world: World) -> None:
    world.fail_overs.append(_failed_over(forgotten={JOB}))
    world.is_stored = False


def _unfinished_after_a_fail_over(world: World) -> None:
    world.fail_overs.append(_failed_over(forgotten={JOB}))
    world.job = replace(world.job, state=JobState.RUNNING)


def _two_results_after_a_fail_over(world: World) -> None:
    world.fail_overs.append(_failed_over(forgotten={JOB}))
    world.attempts[0] = an_attempt(2, AttemptOutcome.SUCCEEDED)


def _a_result_of_nothing_after_a_fail_over(world: World) -> None:
    world.fail_overs.append(_failed_over(forgotten={JOB}))
    world.attempts[1] = an_attempt(7, AttemptOutcome.SUCCEEDED)


def _requeued(*, at: int, to: int) -> Call:
    return Call(job_id=JOB, sent_at=1.0, done_at=2.0, granted=True, expected_version=at, version=to)


def _failed_over(*, forgotten: set[str] | None = None, missing: set[str] | None = None) -> FailOver:
    return FailOver(
        stalled_at=90.0,
        promoted_at=95.0,
        forgotten=frozenset(forgotten or ()),
        missing=frozenset(missing or ()),
    )


def _cancelled_at(world: World, at: float) -> None:
    """Let the first attempt be cancelled, the job be requeued, and the handler run on beside the next one."""
    world.attempts[0] = an_attempt(2, AttemptOutcome.CANCELLED)
    world.ledger[2] = an_entry(Mark.ENDED, 6.8)
    world.ledger += [renewed(at - 1.0), renewed(at + 0.5), renewed(at + 2.0)]
    world.records.cancels.append(Call(job_id=JOB, sent_at=at - 0.1, done_at=at, granted=True))
    world.records.requeues.append(replace(_requeued(at=3, to=4), done_at=6.0))
    world.job = replace(world.job, version=6, attempts=1)


BENT: list[tuple[Callable[[World], None], str]] = [
    (_moved_once_more, "moved 5 times"),
    (_requeue_without_effect, "explain 5 to 5"),
    (_requeue_to_the_same, "was told version 3"),
    (_requeue_of_the_past, "which had passed"),
    (_requeue_undone, "was requeued to version 6 and is at 5"),
    (_old_payload, "has the payload 'another'"),
    (_ran_the_old_payload, "ran '' after a requeue with 'new'"),
    (_early, "2.0 s before its time"),
    (_restless, "from healing to rest"),
    (_recovered_late, "later than a lease and a tick"),
    (_cancelled_and_went_on, "longer than a cancel takes"),
    (_lost_in_a_later_life, "is lost"),
    (_ran_after_the_purge, "not in the history"),
    (_created_more_than_purged, "was created 3 times"),
    (_lost_beside_a_fail_over, "is lost"),
    (_lost_though_the_standby_had_it, "the promoted server had it"),
    (_unfinished_after_a_fail_over, "is still RUNNING after a fail-over"),
    (_two_results_after_a_fail_over, "2 accepted results after a fail-over"),
    (_a_result_of_nothing_after_a_fail_over, "which never ran"),
]


@pytest.mark.parametrize(("bend", "found"), BENT, ids=[bend.__name__.strip("_") for bend, _ in BENT])
def test_each_violation_is_found(bend: Callable[[World], None], found: str) -> None:
    world = World.true()
    bend(world)

    assert any(found in text for text in violations(world.evidence()))


def test_a_recovery_may_take_longer_while_a_fault_hinders_it() -> None:
    world = World.true()
    _recovered_late(world)
    world.happenings += [
        Happening(at=10.0, did=Did.FAULT, whom="postgres", detail="freeze PostgreSQL  for 2.0 s"),
        Happening(at=12.0, did=Did.HEALED, whom="postgres", detail="freeze PostgreSQL"),
    ]

    assert not violations(world.evidence())


def test_a_handler_may_run_on_until_the_renewal_after_a_cancel() -> None:
    world = World.true()
    _cancelled_at(world, 5.5)

    assert not violations(world.evidence())


def test_a_purged_job_may_be_gone() -> None:
    world = World.true()
    world.records.purges.append(Call(job_id=JOB, sent_at=8.0, done_at=9.0, granted=True))
    world.is_stored = False

    assert not violations(world.evidence())


def test_a_fail_over_excuses_a_job_that_the_standby_never_had() -> None:
    world = World.true()
    world.fail_overs.append(_failed_over(missing={JOB}))
    world.is_stored = False

    assert not violations(world.evidence())
