"""The memory of this process."""

from abc import abstractmethod
from typing import Protocol


class ProcessMemory(Protocol):
    """Measures."""

    @abstractmethod
    def resident_megabytes(self) -> int:
        """Return how much memory this process has now, in MiB."""
