"""Steps about how far jobs say that they are."""

import asyncio
from itertools import dropwhile, pairwise

from scheduler.adapters.grpc.client_views import EventView
from scheduler.application.dto import JobFilter
from scheduler.domain.state import JobState
from tests.acceptance.language import says
from tests.acceptance.watch import Watch
from tests.acceptance.world import POLL_SECONDS, World


def notes(watched: Watch) -> list[EventView]:
    """Return the events that told progress of a running job."""
    return [event for event in watched.events if event.state is JobState.RUNNING and event.progress_message]


@says("{job} tells a progress above {count} percent")
def tells(world: World, job: str, count: int) -> None:
    world.until(job, lambda found: found.progress > count)
    listed = world.jobs(JobFilter(state=JobState.RUNNING))
    assert [found.progress > count for found in listed if found.job_id == world.ids[job]] == [True]


@says("{job} stands at {count} percent and says {quoted}")
def stands(world: World, job: str, count: int, quoted: str) -> None:
    found = world.job(job)
    assert (found.progress, found.progress_message) == (count, quoted)


@says("the watcher has seen a progress above {count} percent")
def has_seen(world: World, count: int) -> None:
    world.run(_until_seen(world.watches[-1], count))


async def _until_seen(watched: Watch, percent: float) -> None:
    while not any(event.progress > percent for event in watched.events):  # noqa: ASYNC110 - a watcher only notes
        await asyncio.sleep(POLL_SECONDS)


@says("the watcher saw a progress of {waits} percent")
def saw(world: World, waits: list[float]) -> None:
    seen = [event.progress for event in world.watches[-1].events]
    assert [percent for percent in dict.fromkeys(seen) if percent or waits == [0]] == waits


@says("the watcher saw {quoted} while it was {state}")
def saw_in_words(world: World, quoted: str, state: JobState) -> None:
    assert any(quoted in event.message for event in world.watches[-1].events if event.state is state)


@says("the versions that the watcher saw never fall")
def versions_never_fall(world: World) -> None:
    versions = world.watches[-1].versions
    assert versions == sorted(versions)


@says("the progress that the watcher saw grows")
def grows(world: World) -> None:
    seen = [event.progress for event in notes(world.watches[-1])]
    assert all(earlier < later for earlier, later in pairwise(seen)), seen


@says("the watcher saw at least {count} notes of progress")
def saw_at_least(world: World, count: int) -> None:
    assert len(notes(world.watches[-1])) >= count


@says("the watcher saw at most {count} notes of progress a second")
def saw_at_most(world: World, count: int) -> None:
    told = notes(world.watches[-1])
    seconds = (told[-1].at - told[0].at).total_seconds()
    assert len(told) <= count * seconds + 1, (len(told), seconds)


@says("the watcher saw {state} at {count} percent")
def saw_at(world: World, state: JobState, count: int) -> None:
    assert (state, count) in [(event.state, event.progress) for event in world.watches[-1].events]


@says("the watcher saw {count} percent after {state}")
def saw_after(world: World, count: int, state: JobState) -> None:
    after = list(dropwhile(lambda event: event.state is not state, world.watches[-1].events))
    assert (JobState.RUNNING, count) in [(event.state, event.progress) for event in after]
