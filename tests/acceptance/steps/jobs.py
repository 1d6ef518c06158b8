"""Steps about one job as it stands."""

from scheduler.domain.job import first_version
from scheduler.domain.state import JobState
from tests.acceptance.language import says
from tests.acceptance.orders import MARK_LABEL
from tests.acceptance.world import World


@says("{job} is {state}")
def is_in(world: World, job: str, state: JobState) -> None:
    assert world.job(job).state is state


@says("{job} becomes {state}")
def becomes(world: World, job: str, state: JobState) -> None:
    world.until(job, lambda found: found.state is state)


@says("{job} ends {state}")
def ends(world: World, job: str, state: JobState) -> None:
    ended = world.until_ended(job)
    assert ended.state is state, ended


@says("all jobs end {state}")
def all_end(world: World, state: JobState) -> None:
    for name in world.created:
        ended = world.until_ended(name)
        assert ended.state is state, ended


@says("{job} has changed {changes} times? with {count} attempts?")
def has_changed(world: World, job: str, changes: int, count: int) -> None:
    found = world.job(job)
    assert (found.version, found.attempts) == (first_version(found.created_at) + changes, count)


@says("{job} may be attempted {count} times")
def may_be_attempted(world: World, job: str, count: int) -> None:
    assert world.job(job).max_attempts == count


@says("the payload of {job} is")
def payload_is(world: World, job: str, docstring: str) -> None:
    assert world.job(job).payload == docstring


@says("the result of {job} is")
def has_result(world: World, job: str, docstring: str) -> None:
    assert world.job(job).result == docstring


@says("{job} is labelled {text}")
def is_labelled(world: World, job: str, text: str) -> None:
    labels = {key: value for key, value in world.job(job).labels.items() if key != MARK_LABEL}
    assert labels == dict(pair.split("=") for pair in text.split(", "))


@says("the reason of {job} says {quoted}")
def reason_says(world: World, job: str, quoted: str) -> None:
    assert quoted in world.job(job).last_error


@says("{job} is cancelled")
def cancel(world: World, job: str) -> None:
    world.confirmed = world.attempt(world.driver.client.cancel(world.ids[job]))


@says("a job that nobody knows is cancelled")
def cancel_unknown(world: World) -> None:
    cancel(world, "nobody knows")


@says("the cancellation is confirmed")
def is_confirmed(world: World) -> None:
    assert world.confirmed is True


@says("the cancellation is denied")
def is_denied(world: World) -> None:
    assert world.confirmed is False


@says("{job} is queued again")
def requeue(world: World, job: str) -> None:
    world.requeue(job)


@says("{job} is queued again with the payload")
def requeue_with_payload(world: World, job: str, docstring: str) -> None:
    world.requeue(job, payload=docstring)


@says("{job} is queued again as of its first version")
def requeue_as_of_first(world: World, job: str) -> None:
    world.requeue(job, expected_version=first_version(world.job(job).created_at))
