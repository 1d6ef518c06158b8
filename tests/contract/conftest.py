"""Every suite of this folder runs on each technology that fulfils the port."""

import asyncio
from collections.abc import Iterator
from typing import TypeVar

import pytest

from scheduler.adapters.cockroach import Isolation
from tests.support.backends import Backend, QueueBackend, Run, StoreBackend
from tests.support.memory import MemoryQueueBackend, MemoryStoreBackend
from tests.support.pgbouncer import MISSING, PgBouncer
from tests.support.redis import RedisBackend
from tests.support.sql import SqlBackend, create_database

AnyBackend = TypeVar("AnyBackend", bound=Backend)
STORES = (
    "memory",
    pytest.param("postgres-read-committed", marks=pytest.mark.servers),
    # Through PgBouncer where it is installed.
    pytest.param("postgres-serializable", marks=pytest.mark.servers),
    pytest.param("cockroach", marks=pytest.mark.containers),
)
QUEUES = (
    "memory",
    pytest.param("valkey", marks=pytest.mark.servers),
    pytest.param("redis", marks=pytest.mark.containers),
)


@pytest.fixture(scope="session")
def run() -> Iterator[Run]:
    """One event loop for all tests, as connections belong to the loop that opened them."""
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture(scope="session", params=STORES)
def opened_store(request: pytest.FixtureRequest, run: Run) -> Iterator[StoreBackend]:
    backend = _store(request.param, request)
    yield from _opened(backend, run)


@pytest.fixture
def store(opened_store: StoreBackend, run: Run) -> StoreBackend:
    """An empty store."""
    run(opened_store.reset())
    return opened_store


@pytest.fixture(scope="session", params=QUEUES)
def opened_broker(request: pytest.FixtureRequest, run: Run) -> Iterator[QueueBackend]:
    backend = _queue(request.param, request)
    yield from _opened(backend, run)


@pytest.fixture
def broker(opened_broker: QueueBackend, run: Run) -> QueueBackend:
    """Empty queues."""
    run(opened_broker.reset())
    return opened_broker


def _store(kind: str, request: pytest.FixtureRequest) -> StoreBackend:
    if kind == "memory":
        return MemoryStoreBackend()
    if kind == "cockroach":
        return SqlBackend(create_database(request.getfixturevalue("cockroach_url")))
    url = create_database(request.getfixturevalue("postgres_url"))
    if kind == "postgres-read-committed":
        return SqlBackend(url, isolation=Isolation.READ_COMMITTED)
    if not MISSING:
        pooler: PgBouncer = request.getfixturevalue("pgbouncer")
        url = pooler.url(url)
    return SqlBackend(url, isolation=Isolation.SERIALIZABLE)


def _queue(kind: str, request: pytest.FixtureRequest) -> QueueBackend:
    if kind == "memory":
        return MemoryQueueBackend()
    return RedisBackend(request.getfixturevalue("redis_url" if kind == "valkey" else "redis_image_url"))


def _opened(backend: AnyBackend, run: Run) -> Iterator[AnyBackend]:
    run(backend.open())
    yield backend
    run(backend.close())
