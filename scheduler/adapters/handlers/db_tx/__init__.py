"""The job type `db_tx`: one SQL statement that takes effect exactly once, in a database of the user's."""

from scheduler.adapters.handlers.db_tx.connections import Connections, PrivilegedRoleError, TargetAddressError
from scheduler.adapters.handlers.db_tx.handler import DbTxHandler
from scheduler.adapters.handlers.db_tx.schema import create_effects
from scheduler.adapters.handlers.db_tx.statements_file import StatementsFileError, read_statements

__all__ = [
    "Connections",
    "DbTxHandler",
    "PrivilegedRoleError",
    "StatementsFileError",
    "TargetAddressError",
    "create_effects",
    "read_statements",
]
