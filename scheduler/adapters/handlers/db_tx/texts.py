"""The SQL texts of our own, read from files of this package."""

from functools import cache
from importlib.resources import files
from typing import Final

PACKAGE: Final = "scheduler.adapters.handlers.db_tx"


@cache
def read_sql(name: str) -> bytes:
    """Return the statement of that name."""
    return files(PACKAGE).joinpath("sql", f"{name}.sql").read_bytes()
