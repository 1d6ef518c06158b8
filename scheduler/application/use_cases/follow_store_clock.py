"""Keep this process's clock with the store's."""

from scheduler.application.ports.clock import AdjustableClock
from scheduler.application.ports.store_time import StoreTime


class FollowStoreClock:
    """All processes agree on the time, however wrong their hosts' clocks are."""

    def __init__(self, *, clock: AdjustableClock, store_time: StoreTime) -> None:
        self._clock = clock
        self._store_time = store_time

    async def execute(self) -> None:
        """Take one sample; raises StoreUnavailableError."""
        sent = self._clock.monotonic()
        store_now = await self._store_time.read()
        self._clock.observe(store_now, sent=sent, received=self._clock.monotonic())
