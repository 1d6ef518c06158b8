"""How scenarios are run: each in a world of its own."""

from collections.abc import Iterator

import pytest

from tests.acceptance.driver import Driver
from tests.acceptance.world import World


@pytest.fixture
def world(driver: Driver) -> Iterator[World]:
    """Give the scenario a scheduler; the module with the scenarios says which."""
    with World(driver) as ready:
        yield ready
