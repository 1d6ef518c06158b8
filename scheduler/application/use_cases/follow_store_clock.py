"""Keep this process's clock with the store's."""

from scheduler.application.ports.clock import AdjustableClock
from scheduler.application.ports.store_time import StoreTime

QUICK_SECONDS = 0.2
"""A slower reading says little about when it was taken: the next one may be quicker."""
MAX_READINGS = 3


class FollowStoreClock:
    """All processes agree on the time, however wrong their hosts' clocks are."""

    def __init__(self, *, clock: AdjustableClock, store_time: StoreTime) -> None:
        self._clock = clock
        self._store_time = store_time

    async def execute(self) -> None:
        """Take one sample, or a few when they are slow; raises StoreUnavailableError."""
        for _ in range(MAX_READINGS):
            if await self._read() <= QUICK_SECONDS:
                return

    async def _read(self) -> float:
        """Take one sample; return the seconds it took."""
        sent = self._clock.monotonic()
        store_now = await self._store_time.read()
        received = self._clock.monotonic()
        self._clock.observe(store_now, sent=sent, received=received)
        return received - sent
