"""Steps about workers and what happens to them."""

from tests.acceptance.driver import WorkerTerms
from tests.acceptance.language import says
from tests.acceptance.world import World

NEXT = "next"


@says("no worker is at work")
def no_worker(world: World) -> None:
    world.run(world.driver.workers.stop_all())


@says("a worker is at work")
def some_worker(world: World) -> None:
    world.run(world.driver.workers.keep_one())


@says("a worker with {count} places? starts")
def start_worker(world: World, count: int) -> None:
    world.run(world.driver.workers.start(NEXT, WorkerTerms(places=count)))


@says("a worker with {count} places? and weighted shares starts")
def start_weighted_worker(world: World, count: int) -> None:
    world.run(world.driver.workers.start(NEXT, WorkerTerms(places=count, weighted=True)))


@says("a worker {worker} with {count} places? starts")
def start_named_worker(world: World, worker: str, count: int) -> None:
    world.run(world.driver.workers.start(worker, WorkerTerms(places=count)))


@says("a worker with {count} places? is at work alone")
def only_worker(world: World, count: int) -> None:
    no_worker(world)
    start_worker(world, count)


@says("the worker {worker} stops")
def stop_worker(world: World, worker: str) -> None:
    world.run(world.driver.workers.stop(worker))


@says("the worker {worker} crashes")
def crash_worker(world: World, worker: str) -> None:
    world.run(world.driver.workers.crash(worker))


@says("the worker {worker} is cut off")
def cut_off_worker(world: World, worker: str) -> None:
    world.run(world.driver.workers.cut_off(worker))


@says("the worker {worker} is back")
def reconnect_worker(world: World, worker: str) -> None:
    world.run(world.driver.workers.reconnect(worker))


@says("a worker takes {count} jobs? and vanishes before it starts (?:it|them)")
def take_and_vanish(world: World, count: int) -> None:
    assert world.run(world.driver.workers.take_and_vanish(count)) == count
