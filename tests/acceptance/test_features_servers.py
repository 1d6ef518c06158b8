"""All features, over gRPC, on real servers and real processes."""

import pytest
from pytest_bdd import scenarios

from scheduler.entrypoints.stack import Stack
from tests.acceptance.driver import Driver
from tests.acceptance.servers_driver import ServersDriver

pytestmark = pytest.mark.servers


@pytest.fixture
def driver(stack: Stack) -> Driver:
    return ServersDriver(stack)


scenarios(".")
