"""The store's clock, which is the process's own."""

from datetime import datetime

from scheduler.adapters.memory.store import MemoryStore
from scheduler.application.ports.store_time import StoreTime


class MemoryStoreTime(StoreTime):
    """Reads the clock of a MemoryStore."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def read(self) -> datetime:
        """Return the store's current time."""
        async with self._store.statement():
            return self._store.clock.now()
