"""Steps about time."""

import asyncio

from tests.acceptance.language import says
from tests.acceptance.world import World


@says("{seconds} seconds? pass(?:es)?")
def time_passes(world: World, seconds: float) -> None:
    world.run(asyncio.sleep(seconds))


@says("the time is noted")
def note_time(world: World) -> None:
    world.noted = world.driver.now()
