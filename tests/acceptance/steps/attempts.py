"""Steps about what was tried, when, and in which order."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

from scheduler.adapters.grpc.client_views import AttemptView
from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.priority import Priority
from tests.acceptance.language import says
from tests.acceptance.world import World


def _attempts(world: World, job: str) -> Sequence[AttemptView]:
    return world.run(world.driver.client.attempts(world.ids[job]))


def _in_order_of_start(world: World) -> list[str]:
    starts = [(name, job.started_at) for name in world.created if (job := world.job(name)).started_at is not None]
    return [name for name, _ in sorted(starts, key=lambda start: start[1])]


@says("{job} was never attempted")
def never_attempted(world: World, job: str) -> None:
    assert _attempts(world, job) == []


@says("{job} has {count} attempts?")
def has_attempts(world: World, job: str, count: int) -> None:
    assert world.job(job).attempts == count


@says("{job} has {count} attempts?, {lost} of them lost")
def has_attempts_of_which_lost(world: World, job: str, count: int, lost: int) -> None:
    found = world.job(job)
    assert (found.attempts, found.losses) == (count, lost)


@says("the attempts of {job} ended {outcomes}")
def attempts_ended(world: World, job: str, outcomes: list[AttemptOutcome]) -> None:
    assert [attempt.outcome for attempt in _attempts(world, job)] == outcomes


@says("{job} waited {waits} seconds between its attempts")
def waited_between(world: World, job: str, waits: list[float]) -> None:
    attempts = _attempts(world, job)
    gaps = [
        later.started_at - earlier.finished_at
        for earlier, later in pairwise(attempts)
        if earlier.finished_at is not None
    ]
    assert len(gaps) == len(waits)
    for gap, wait in zip(gaps, waits, strict=True):
        assert timedelta(seconds=wait) <= gap <= timedelta(seconds=wait) + world.driver.slack, gaps


@says("{job} did not start before its time")
def not_before_its_time(world: World, job: str) -> None:
    found = world.job(job)
    assert found.started_at is not None
    assert found.created_at < found.run_at <= found.started_at


@says("{job} was taken back within {seconds} seconds of that")
def taken_back_within(world: World, job: str, seconds: float) -> None:
    (lost,) = [attempt for attempt in _attempts(world, job) if attempt.outcome is AttemptOutcome.LOST]
    assert lost.finished_at is not None
    assert world.noted is not None
    assert lost.finished_at - world.noted <= timedelta(seconds=seconds) + world.driver.slack


@says("{job} started as soon as {other} had ended")
def started_as_soon_as(world: World, job: str, other: str) -> None:
    started_at, ended_at = world.job(job).started_at, world.job(other).finished_at
    assert started_at is not None
    assert ended_at is not None
    assert -world.driver.clocks <= started_at - ended_at <= world.driver.slack


@says("the jobs start in the order {jobs}")
def start_in_order(world: World, jobs: list[str]) -> None:
    for job in jobs:
        world.until(job, lambda found: found.started_at is not None)
    world.until_ended(jobs[-1])
    assert _in_order_of_start(world) == jobs


@says("of the first {count} starts {text}")
def shares_of_starts(world: World, count: int, text: str) -> None:
    for name in world.created:
        world.until_ended(name)
    first = _in_order_of_start(world)[:count]
    shares = Counter(priority for name in first for priority in Priority if name.startswith(priority))
    words = text.replace(" and ", ", ").replace(" is ", " are ").split(", ")
    expected = {Priority(priority): int(share) for share, priority in (word.split(" are ") for word in words)}
    assert shares == expected


@says("no more than {count} jobs ran at once")
def at_most_at_once(world: World, count: int) -> None:
    spans = [attempt for name in world.created for attempt in _attempts(world, name)]
    for one in spans:
        at_once = [other for other in spans if _overlap(one, other)]
        assert len(at_once) <= count


def _overlap(one: AttemptView, other: AttemptView) -> bool:
    """Tell whether `other` ran when `one` started."""
    assert other.finished_at is not None
    return other.started_at <= one.started_at < other.finished_at
