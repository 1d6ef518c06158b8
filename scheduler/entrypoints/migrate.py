"""Bring the schema up to date."""

import asyncio

from scheduler.adapters.cockroach import Migrator, StoreSettings
from scheduler.entrypoints.settings import Settings


def run_migrate(settings: Settings) -> int:
    """Run the missing migrations and print their names; return the exit code. Raises SchedulerError."""
    applied = asyncio.run(Migrator(StoreSettings(url=settings.store_url)).migrate())
    for name in applied:
        print(f"applied {name}")  # noqa: T201 - a command's output
    if not applied:
        print("the schema is up to date")  # noqa: T201 - as above
    return 0
