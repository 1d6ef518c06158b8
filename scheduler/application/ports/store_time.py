"""The clock of the store, which all processes share."""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol


class StoreTime(Protocol):
    """Reads the store's clock. Raises StoreUnavailableError."""

    @abstractmethod
    async def read(self) -> datetime:
        """Return the store's current time, aware, in UTC."""
