"""A scheduler without servers for all tests of commands that use one."""

from collections.abc import Iterator

import pytest

from tests.unit.cli.memory_service import memory_service
from tests.unit.cli.tool import Tool


@pytest.fixture(scope="session")
def memory_address() -> Iterator[str]:
    with memory_service() as address:
        yield address


@pytest.fixture
def tool(memory_address: str) -> Tool:
    return Tool(memory_address)
