"""PostgreSQL and Valkey servers run from installed wheels."""

from scheduler.adapters.embedded.errors import DirectoryInUseError, EmbeddedServerError, PortInUseError
from scheduler.adapters.embedded.postgres import EmbeddedPostgres
from scheduler.adapters.embedded.server import EmbeddedServer
from scheduler.adapters.embedded.valkey import EmbeddedValkey

__all__ = [
    "DirectoryInUseError",
    "EmbeddedPostgres",
    "EmbeddedServer",
    "EmbeddedServerError",
    "EmbeddedValkey",
    "PortInUseError",
]
