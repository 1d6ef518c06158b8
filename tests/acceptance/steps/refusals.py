"""Steps that expect a refusal."""

from tests.acceptance.language import says
from tests.acceptance.world import World


@says("it is refused as {status}")
def is_refused(world: World, status: str) -> None:
    assert world.take_refusal().status == status


@says("it is refused as {status} because of {quoted}")
def is_refused_because_of(world: World, status: str, quoted: str) -> None:
    refused = world.take_refusal()
    assert (refused.status, list(refused.fields)) == (status, [quoted])
