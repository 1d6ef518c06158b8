"""What can go wrong with an embedded server: always one line that the user can act upon."""

from pathlib import Path

from scheduler.domain.errors import SchedulerError


class EmbeddedServerError(SchedulerError):
    """An embedded server cannot be started or used."""


class PortInUseError(EmbeddedServerError):
    """Another process listens on the port."""

    def __init__(self, port: int) -> None:
        """Keep the port."""
        super().__init__(f"port {port} is in use")
        self.port = port


class DirectoryInUseError(EmbeddedServerError):
    """Another server runs on the same data."""

    def __init__(self, directory: Path, owner: int | None) -> None:
        """Keep the directory and the process that uses it, where it is known."""
        who = "another process" if owner is None else f"process {owner}"
        super().__init__(f"data directory {directory} is in use by {who}")
        self.directory = directory
        self.owner = owner


class StillClosingError(EmbeddedServerError):
    """An earlier server on the same data has not quite ended; a later try may succeed."""
