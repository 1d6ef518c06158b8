"""Steps that submit jobs."""

from scheduler.domain.priority import Priority
from tests.acceptance.language import rows_of, says
from tests.acceptance.world import World


@says("the job {job} is submitted")
def submit_job(world: World, job: str) -> None:
    world.submit([{"job": job}])


@says("the job {job} is submitted with the payload")
def submit_with_payload(world: World, job: str, docstring: str) -> None:
    world.submit([{"job": job, "payload": docstring}])


@says("the jobs {jobs} are submitted")
def submit_jobs(world: World, jobs: list[str]) -> None:
    world.submit([{"job": job} for job in jobs])


@says("these jobs are submitted")
def submit_table(world: World, datatable: list[list[str]]) -> None:
    world.submit(rows_of(datatable))


@says("these jobs are submitted together")
def submit_table_together(world: World, datatable: list[list[str]]) -> None:
    world.submit(rows_of(datatable), together=True)


@says("{count} jobs are submitted")
def submit_several(world: World, count: int) -> None:
    world.submit([{"job": f"job {number}"} for number in range(count)])


@says("{count} jobs are submitted together")
def submit_several_together(world: World, count: int) -> None:
    world.submit([{"job": f"job {number}"} for number in range(count)], together=True)


@says("{count} jobs of each priority are submitted")
def submit_of_each_priority(world: World, count: int) -> None:
    world.submit(
        [{"job": f"{priority} {number}", "priority": priority} for priority in Priority for number in range(count)],
        together=True,
    )


@says(r"a job is submitted whose (?P<column>[a-z ]+?) is {text}")
def submit_with_cell(world: World, column: str, text: str) -> None:
    world.submit([{"job": "odd", column: text}])


@says("{job} and {other} are one job")
def are_one(world: World, job: str, other: str) -> None:
    assert world.ids[job] == world.ids[other]


@says("{job} and {other} are two jobs")
def are_two(world: World, job: str, other: str) -> None:
    assert world.ids[job] != world.ids[other]


@says("only {jobs} (?:was|were) created")
def only_created(world: World, jobs: list[str]) -> None:
    assert world.created == jobs


@says("only these jobs are stored: {jobs}")
def only_stored(world: World, jobs: list[str]) -> None:
    assert sorted(world.names_of(world.jobs())) == sorted(jobs)


@says("nothing is stored")
def nothing_stored(world: World) -> None:
    assert world.jobs() == []
