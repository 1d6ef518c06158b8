"""Steps about watchers and what they see."""

import asyncio
from itertools import pairwise

from scheduler.domain.job import first_version
from scheduler.domain.state import JobState
from tests.acceptance.language import says
from tests.acceptance.watch import Watch
from tests.acceptance.world import POLL_SECONDS, World


@says("{job} is watched")
def watch(world: World, job: str) -> None:
    world.watch(job)


@says("{job} is watched by {count} watchers")
def watch_often(world: World, job: str, count: int) -> None:
    for _ in range(count):
        world.watch(job)


@says("{job} is watched after its first version")
def watch_after_first(world: World, job: str) -> None:
    world.watch(job, after_version=first_version(world.job(job).created_at))


@says("{job} is watched after a version that it has not reached")
def watch_after_none(world: World, job: str) -> None:
    world.watch(job, after_version=world.job(job).version + 99)


@says("{job} is watched after its last version")
def watch_after_last(world: World, job: str) -> None:
    world.watch(job, after_version=world.job(job).version)


@says("a job that nobody knows is watched")
def watch_unknown(world: World) -> None:
    world.watch("nobody knows")


@says("the watcher has seen {state}")
def has_seen(world: World, state: JobState) -> None:
    world.run(_until_seen(world.watches[-1], state))


async def _until_seen(watched: Watch, state: JobState) -> None:
    while state not in watched.states:  # noqa: ASYNC110 - a watcher only notes; nobody signals
        await asyncio.sleep(POLL_SECONDS)


@says("the watch of {job} ends with {state}")
def watch_ends(world: World, job: str, state: JobState) -> None:
    watched = world.watches[-1]
    world.run(watched.ended())
    assert watched.states[-1] is state
    assert watched.events[-1].job_id == world.ids[job]


@says("all {count} watches end with {state}")
def all_watches_end(world: World, count: int, state: JobState) -> None:
    assert len(world.watches) == count
    for watched in world.watches:
        world.run(watched.ended())
        assert watched.states[-1] is state


@says("the watch ends without a word")
def watch_ends_silently(world: World) -> None:
    world.run(world.watches[-1].ended())
    assert world.watches[-1].events == []


@says("the versions that the watcher saw grow strictly")
def versions_grow(world: World) -> None:
    versions = world.watches[-1].versions
    assert all(earlier < later for earlier, later in pairwise(versions)), versions


@says("the watcher saw nothing of its first version")
def saw_nothing_of_the_first_version(world: World) -> None:
    watch = world.watches[-1]
    created_at = world.run(world.driver.client.get(watch.events[0].job_id)).created_at
    assert min(watch.versions) > first_version(created_at)


@says("the watcher saw {states}")
def saw(world: World, states: list[JobState]) -> None:
    assert world.watches[-1].states == states


@says("the watcher saw {state} among others")
def saw_among_others(world: World, state: JobState) -> None:
    assert state in world.watches[-1].states
