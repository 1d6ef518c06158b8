"""A scheduler without servers for all tests of commands that use one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance import unwilling_jobs
from tests.unit.cli.memory_service import memory_service
from tests.unit.cli.tool import Tool

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def memory_address() -> Iterator[str]:
    with memory_service(WORKER_HANDLERS=unwilling_jobs.__name__, PYTHONPATH=str(ROOT)) as address:
        yield address


@pytest.fixture
def tool(memory_address: str) -> Tool:
    return Tool(memory_address)
