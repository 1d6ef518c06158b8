import asyncio

import pytest

from scheduler.adapters.cockroach import (
    MigrationChangedError,
    Migrator,
    SqlDependency,
    SqlJobRepository,
    StoreSettings,
    require_schema,
)
from scheduler.adapters.cockroach.statements import read_sql
from scheduler.application.errors import SchemaNotMigratedError, StoreUnavailableError
from tests.integration.cockroach_tools import scalar
from tests.support.builders import a_job_id
from tests.support.sql import SqlBackend, create_database, execute

pytestmark = pytest.mark.servers

NAMES = list(read_sql("migrations"))


@pytest.fixture
def url(postgres_url: str) -> str:
    return create_database(postgres_url)


def migrate(url: str) -> list[str]:
    return list(asyncio.run(Migrator(StoreSettings(url=url)).migrate()))


def pending(url: str) -> list[str]:
    return list(asyncio.run(Migrator(StoreSettings(url=url)).pending()))


def test_an_empty_database_lacks_every_migration(url: str) -> None:
    assert pending(url) == NAMES


def test_migrations_run_once_and_in_order(url: str) -> None:
    assert migrate(url) == NAMES
    assert pending(url) == []
    assert migrate(url) == []


def test_every_migration_may_run_again(url: str) -> None:
    migrate(url)
    execute(url, "DELETE FROM schema_migrations")
    assert migrate(url) == NAMES


def test_a_migration_that_was_interrupted_before_it_was_noted_is_run_again(url: str) -> None:
    migrate(url)
    execute(url, f"DELETE FROM schema_migrations WHERE name = '{NAMES[3]}'")
    assert pending(url) == [NAMES[3]]
    assert migrate(url) == [NAMES[3]]


@pytest.mark.parametrize("attempt", range(3))
def test_concurrent_migrations_do_no_harm_and_each_is_recorded_by_one(url: str, attempt: int) -> None:
    async def four() -> list[str]:
        ran = await asyncio.gather(*(Migrator(StoreSettings(url=url)).migrate() for _ in range(4)))
        return sorted(name for names in ran for name in names)

    assert asyncio.run(four()) == NAMES
    assert pending(url) == []


def test_a_migration_that_was_changed_after_it_had_run_is_refused_before_anything_runs(url: str) -> None:
    original = {"0001_a": "CREATE TABLE IF NOT EXISTS a (id INT8 PRIMARY KEY)"}
    asyncio.run(Migrator(StoreSettings(url=url), original).migrate())
    changed = {
        "0001_a": "CREATE TABLE IF NOT EXISTS a (id INT4 PRIMARY KEY)",
        "0002_b": "CREATE TABLE IF NOT EXISTS b (id INT8 PRIMARY KEY)",
    }

    with pytest.raises(MigrationChangedError, match="0001_a was changed after it had run"):
        asyncio.run(Migrator(StoreSettings(url=url), changed).migrate())
    with pytest.raises(MigrationChangedError):
        asyncio.run(Migrator(StoreSettings(url=url), changed).pending())

    assert scalar(url, "SELECT to_regclass('b') IS NULL") is True


@pytest.mark.parametrize(
    "text", ["CREATE TABLE twice (id UUID PRIMARY KEY)", "CREATE TABEL wrong (id UUID PRIMARY KEY)"]
)
def test_a_migration_that_fails_is_not_recorded_and_stops_those_behind_it(url: str, text: str) -> None:
    execute(url, "CREATE TABLE twice (id UUID PRIMARY KEY)")
    broken = {"0001_broken": text, "0002_b": "CREATE TABLE IF NOT EXISTS b (id UUID PRIMARY KEY)"}
    migrator = Migrator(StoreSettings(url=url), broken)

    with pytest.raises(StoreUnavailableError, match=r"42P07|42601"):
        asyncio.run(migrator.migrate())

    assert list(asyncio.run(migrator.pending())) == ["0001_broken", "0002_b"]
    assert scalar(url, "SELECT to_regclass('b') IS NULL") is True


def test_a_schema_that_is_newer_than_the_program_is_fine(url: str) -> None:
    migrate(url)
    execute(url, "INSERT INTO schema_migrations VALUES ('9999_future', 'x', now())")
    assert pending(url) == []


def test_a_process_refuses_a_schema_that_is_behind_and_names_what_it_lacks(url: str) -> None:
    async def scenario() -> None:
        backend = SqlBackend(url)
        await backend.pool.open()
        try:
            with pytest.raises(SchemaNotMigratedError, match=r"0001_jobs.*run `scheduler migrate`") as nothing:
                await require_schema(backend.transactions)
            assert list(nothing.value.missing) == NAMES
            await Migrator(backend.settings).migrate()
            await require_schema(backend.transactions)
            await backend.execute(f"DELETE FROM schema_migrations WHERE name = '{NAMES[-1]}'")
            with pytest.raises(SchemaNotMigratedError) as one:
                await require_schema(backend.transactions)
            assert list(one.value.missing) == [NAMES[-1]]
        finally:
            await backend.close()

    asyncio.run(scenario())


def test_a_statement_on_an_unmigrated_schema_says_what_to_do(url: str) -> None:
    async def scenario() -> None:
        backend = SqlBackend(url)
        await backend.pool.open()
        try:
            repository = SqlJobRepository(backend.transactions, backend.telemetry)
            with pytest.raises(SchemaNotMigratedError, match='lacks relation "jobs": run `scheduler migrate`'):
                await repository.load([a_job_id()])
        finally:
            await backend.close()

    asyncio.run(scenario())


def test_the_store_is_healthy_only_when_it_is_migrated(url: str) -> None:
    async def scenario() -> None:
        backend = SqlBackend(url)
        health = SqlDependency(backend.transactions)
        before_open = await health.check()
        await backend.pool.open()
        try:
            unmigrated = await health.check()
            await Migrator(backend.settings).migrate()
            migrated = await health.check()
        finally:
            await backend.close()
        assert (before_open.ok, unmigrated.ok, migrated.ok) == (False, False, True)
        assert "not open" in before_open.detail
        assert "run `scheduler migrate`" in unmigrated.detail
        assert migrated.required
        assert migrated.detail == ""

    asyncio.run(scenario())
