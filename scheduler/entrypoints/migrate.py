"""Bring the schema up to date."""

import asyncio

from scheduler.adapters.cockroach import Migrator, StoreSettings
from scheduler.adapters.handlers.db_tx import TargetAddressError, create_effects
from scheduler.entrypoints.addresses import store_address
from scheduler.entrypoints.settings import Settings, SettingsError


def run_migrate(settings: Settings) -> int:
    """Run the missing migrations and print their names; return the exit code. Raises SchedulerError."""
    applied = asyncio.run(Migrator(StoreSettings(url=store_address(settings))).migrate())
    for name in applied:
        print(f"applied {name}")  # noqa: T201 - a command's output
    if not applied:
        print("the schema is up to date")  # noqa: T201 - as above
    return 0


def run_migrate_db_tx(settings: Settings) -> int:
    """Create what db_tx jobs need in their target, if it is missing; return the exit code. Raises SchedulerError."""
    if settings.db_tx_url is None:
        raise SettingsError("DB_TX_DATABASE_URL: must be set, to an address whose role may create tables")
    try:
        asyncio.run(create_effects(settings.db_tx_url))
    except TargetAddressError as error:
        raise SettingsError(f"DB_TX_DATABASE_URL: {error}") from error
    print("the target of db_tx jobs is up to date")  # noqa: T201 - a command's output
    return 0
