"""Steps about dead letters: what they died of, and what is done to many at once."""

from collections.abc import Mapping, Sequence

from scheduler.adapters.grpc.client_views import ErrorGroupView
from scheduler.application.dead_letters import EndedFilter
from scheduler.application.dto import JobFilter
from scheduler.domain.fingerprint import fingerprint
from scheduler.domain.priority import Priority
from scheduler.domain.state import DEAD_STATES, JobState
from tests.acceptance.language import rows_of, says
from tests.acceptance.world import World


def _all_of_the_kind(world: World, job: str) -> list[str]:
    found = world.job(job)
    kind = fingerprint(found.type, found.last_error)
    return world.names_of(world.jobs(JobFilter(error_fingerprint=kind)))


@says("{job} and {other} died of the same kind of error")
def same_kind(world: World, job: str, other: str) -> None:
    assert {job, other} <= set(_all_of_the_kind(world, job))


@says("{job} and {other} died of different kinds of errors")
def different_kinds(world: World, job: str, other: str) -> None:
    assert job in _all_of_the_kind(world, job)
    assert other not in _all_of_the_kind(world, job)


def _kinds(world: World, job_type: str) -> Sequence[ErrorGroupView]:
    return world.run(world.driver.client.error_groups(job_type=world.orders.type_of(job_type))).groups


@says("the kinds of errors of {quoted} are")
def kinds_are(world: World, quoted: str, datatable: list[list[str]]) -> None:
    groups = _kinds(world, quoted)
    rows = rows_of(datatable)
    assert [(group.count, group.failed, group.dead_letters) for group in groups] == [
        (int(row["jobs"]), int(row["FAILED"]), int(row["DEADLETTER"])) for row in rows
    ]
    for group, row in zip(groups, rows, strict=True):
        assert row["error"] in group.sample_error


@says("there are no kinds of errors of {quoted}")
def no_kinds(world: World, quoted: str) -> None:
    assert list(_kinds(world, quoted)) == []


def _narrowed(text: str) -> Mapping[str, str]:
    return dict([text.split(" is ")]) if text else {}


def _filter(world: World, wanted: Mapping[str, str], states: frozenset[JobState] = DEAD_STATES) -> EndedFilter:
    return EndedFilter(
        states=states,
        priority=Priority(wanted["priority"]) if "priority" in wanted else None,
        labels={**dict([wanted["label"].split("=")] if "label" in wanted else []), **world.orders.labels},
        error_text=wanted.get("error"),
    )


WHOSE = r"(?: whose (?P<narrow>\w+ is \S+))?"


@says(f"the dead letters{WHOSE} are queued again")
def requeue_all(world: World, narrow: str | None) -> None:
    world.requeue_all(_filter(world, _narrowed(narrow or "")))


@says("the dead letters whose error contains {quoted} are queued again")
def requeue_by_error(world: World, quoted: str) -> None:
    world.requeue_all(_filter(world, {"error": quoted}))


@says("at most {count} of the dead letters (?:is|are) queued again")
def requeue_some(world: World, count: int) -> None:
    world.requeue_all(_filter(world, {}), limit=count)


@says(f"the dead letters{WHOSE} are counted")
def count_all(world: World, narrow: str | None) -> None:
    world.requeue_all(_filter(world, _narrowed(narrow or "")), dry_run=True)


@says(f"the dead letters{WHOSE} are deleted")
def delete_all(world: World, narrow: str | None) -> None:
    world.delete_all(lambda: _filter(world, _narrowed(narrow or "")))


@says("the jobs in {state} are queued again")
def requeue_in_state(world: World, state: JobState) -> None:
    world.requeue_all(_filter(world, {}, frozenset({state})))


@says("the jobs in {state} are deleted")
def delete_in_state(world: World, state: JobState) -> None:
    world.delete_all(lambda: _filter(world, {}, frozenset({state})))


@says("{count} jobs? (?:was|were) (?:changed|counted)")
def changed_or_counted(world: World, count: int) -> None:
    assert world.changed == count
