"""The memory of this process."""

from abc import abstractmethod
from typing import Protocol


class ProcessMemory(Protocol):
    """Measures and frees."""

    @abstractmethod
    def resident_megabytes(self) -> int:
        """Return how much memory this process has now, in MiB."""

    @abstractmethod
    def collect(self) -> None:
        """Free all objects that only hold each other."""
