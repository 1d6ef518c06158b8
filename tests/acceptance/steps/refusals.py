"""Steps that expect a refusal."""

from collections.abc import Mapping

from tests.acceptance.language import says
from tests.acceptance.world import World

_STATUSES: Mapping[str, str] = {
    "invalid": "INVALID_ARGUMENT",
    "unknown": "NOT_FOUND",
    "contradictory": "ALREADY_EXISTS",
    "untimely": "FAILED_PRECONDITION",
}


@says("it is refused as {refusal}")
def is_refused(world: World, refusal: str) -> None:
    assert world.take_refusal().status == _STATUSES[refusal]


@says("it is refused as {refusal} because of {quoted}")
def is_refused_because_of(world: World, refusal: str, quoted: str) -> None:
    refused = world.take_refusal()
    assert (refused.status, list(refused.fields)) == (_STATUSES[refusal], [quoted])
