"""What a process of ours is: one of several kinds, perhaps one of several of its kind."""

from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Not at run time: `scheduler --help` must not wait for what reads payloads.
    from collections.abc import Sequence

    from scheduler.adapters.handlers.definition import AnyDefinition


class Backend(StrEnum):
    """Where the data lives."""

    SERVERS = "servers"
    """In PostgreSQL or CockroachDB, and Redis."""
    MEMORY = "memory"
    """In this process, and gone with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessOptions:
    """How this process was started; the first two fields are set for one of `--processes N`."""

    slot: int | None = None
    metrics_directory: Path | None = None
    service: str = "scheduler"
    """Under which its spans are shown."""
    handlers: "Sequence[AnyDefinition]" = ()
    """Those of users, beside the built-in ones."""

    @property
    def shares_ports(self) -> bool:
        """Tell whether siblings listen on the same ports."""
        return self.metrics_directory is not None


def program_version() -> str:
    """Return the version of the installed distribution."""
    try:
        return version("grpc-task-scheduler")
    except PackageNotFoundError:
        return "unknown"
