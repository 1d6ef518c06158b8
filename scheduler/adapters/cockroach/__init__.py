"""The SQL store: one text for CockroachDB 23.2+ and PostgreSQL 14+, through psycopg."""

from scheduler.adapters.cockroach.connection import Isolation, StoreSettings
from scheduler.adapters.cockroach.ended_jobs import SqlEndedJobs
from scheduler.adapters.cockroach.errors import MigrationChangedError, StoreLoginError
from scheduler.adapters.cockroach.health import SqlDependency
from scheduler.adapters.cockroach.job_reader import SqlJobReader
from scheduler.adapters.cockroach.job_repository import SqlJobRepository
from scheduler.adapters.cockroach.job_sweeper import SqlJobSweeper
from scheduler.adapters.cockroach.migrator import Migrator, require_schema
from scheduler.adapters.cockroach.pool import ConnectionPool
from scheduler.adapters.cockroach.statements import Statements
from scheduler.adapters.cockroach.store_time import SqlStoreTime
from scheduler.adapters.cockroach.transaction import Transactions
from scheduler.adapters.cockroach.worker_registry import SqlWorkerRegistry

__all__ = [
    "ConnectionPool",
    "Isolation",
    "MigrationChangedError",
    "Migrator",
    "SqlDependency",
    "SqlEndedJobs",
    "SqlJobReader",
    "SqlJobRepository",
    "SqlJobSweeper",
    "SqlStoreTime",
    "SqlWorkerRegistry",
    "Statements",
    "StoreLoginError",
    "StoreSettings",
    "Transactions",
    "require_schema",
]
