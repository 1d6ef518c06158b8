"""Steps that list jobs."""

from collections.abc import Mapping
from contextlib import aclosing

from scheduler.application.dto import JobFilter
from scheduler.domain.priority import Priority
from scheduler.domain.state import JobState
from tests.acceptance.language import says
from tests.acceptance.world import World


@says("the jobs are listed")
def list_all(world: World) -> None:
    world.listed = world.names_of(world.jobs())


@says("the jobs are listed whose {text}")
def list_filtered(world: World, text: str) -> None:
    world.listed = world.names_of(world.jobs(_filter(dict(word.split(" is ") for word in text.split(", ")))))


def _filter(wanted: Mapping[str, str]) -> JobFilter:
    return JobFilter(
        state=JobState(wanted["state"]) if "state" in wanted else None,
        priority=Priority(wanted["priority"]) if "priority" in wanted else None,
        type=wanted.get("type"),
        labels=dict([wanted["label"].split("=")]) if "label" in wanted else {},
    )


@says("the jobs created before the noted time are listed")
def list_before(world: World) -> None:
    world.listed = world.names_of(world.jobs(JobFilter(created_before=world.noted)))


@says("the jobs created since the noted time are listed")
def list_since(world: World) -> None:
    world.listed = world.names_of(world.jobs(JobFilter(created_after=world.noted)))


@says("the jobs are listed in pages of {count}")
def list_in_pages(world: World, count: int) -> None:
    world.attempt(_list_in_pages(world, count, others=0))


@says(r"the jobs are listed in pages of {count} while (?P<others>\d+) others are submitted")
def list_while_others_come(world: World, count: int, others: str) -> None:
    world.attempt(_list_in_pages(world, count, others=int(others)))


async def _list_in_pages(world: World, size: int, *, others: int) -> None:
    """List all jobs; after the first is read, submit others, which are newer and belong to no later page."""
    client, names = world.driver.client, {job_id: name for name, job_id in world.ids.items()}
    world.listed = []
    async with aclosing(client.list(world.own(JobFilter()), page_size=size)) as jobs:
        async for job in jobs:
            world.listed.append(names[job.job_id])
            while others:
                await client.submit(world.orders.command({"job": "other"}).submission)
                others -= 1


@says("the list is {jobs}")
def list_is(world: World, jobs: list[str]) -> None:
    assert world.listed == jobs


@says("the list holds each of the {count} jobs once")
def list_holds_each_once(world: World, count: int) -> None:
    assert len(world.created) == count
    assert sorted(world.listed) == sorted(world.created)
