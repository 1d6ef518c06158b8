"""The database's clock."""

from datetime import datetime

from scheduler.adapters.cockroach.transaction import Transactions
from scheduler.application.ports.store_time import StoreTime


class SqlStoreTime(StoreTime):
    """Reads the clock that judges leases."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def read(self) -> datetime:
        """Return the database's current time, in UTC."""
        [[now]] = await self._transactions.run("read_time")
        moment: datetime = now
        return moment
