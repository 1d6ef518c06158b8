"""All features that need no servers of others, in memory and in virtual time."""

from pathlib import Path

import pytest
from pytest_bdd import scenarios

from tests.acceptance.driver import Driver
from tests.acceptance.memory_driver import MemoryDriver

FEATURES = Path(__file__).parents[2] / "features"
NEEDS_SERVERS = "@servers"


@pytest.fixture
def driver() -> Driver:
    return MemoryDriver()


scenarios(
    *(path.name for path in sorted(FEATURES.glob("*.feature")) if not path.read_text("utf-8").startswith(NEEDS_SERVERS))
)
