"""All features, in memory and in virtual time."""

import pytest
from pytest_bdd import scenarios

from tests.acceptance.driver import Driver
from tests.acceptance.memory_driver import MemoryDriver


@pytest.fixture
def driver() -> Driver:
    return MemoryDriver()


scenarios(".")
