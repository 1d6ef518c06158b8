"""Whether the store can serve: it answers, and its schema is not older than this program."""

import time
from datetime import timedelta
from typing import Final

from scheduler.adapters.cockroach.migrator import missing_migrations
from scheduler.adapters.cockroach.statements import read_sql
from scheduler.adapters.cockroach.transaction import Transactions
from scheduler.application.deadline import time_limit
from scheduler.application.errors import SchemaNotMigratedError
from scheduler.application.ports.health import Dependency, DependencyStatus
from scheduler.domain.errors import SchedulerError

CHECK_SECONDS: Final = 1.5
"""Leaves room for the cancellation of a statement within the two seconds of the port."""


class SqlDependency(Dependency):
    """The store, without which nothing can be served."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._migrations = read_sql("migrations")

    async def check(self) -> DependencyStatus:
        """Read which migrations have run."""
        started = time.monotonic()
        detail = await self._fault()
        latency = timedelta(seconds=time.monotonic() - started)
        return DependencyStatus(name="store", ok=not detail, required=True, latency=latency, detail=detail)

    async def _fault(self) -> str:
        try:
            with time_limit(CHECK_SECONDS):
                missing = await missing_migrations(self._transactions, self._migrations)
        except SchedulerError as error:
            return str(error)
        return str(SchemaNotMigratedError(missing)) if missing else ""
