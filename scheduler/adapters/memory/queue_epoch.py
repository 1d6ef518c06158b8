"""Whether the queues were rebuilt since they were last lost, in memory."""

from itertools import count

from scheduler.adapters.memory.queue_state import MemoryQueueState
from scheduler.application.ports.queue_maintenance import QueueEpoch

_CURRENT = "current"


class MemoryQueueEpoch(QueueEpoch):
    """Keeps its mark among the data that can be lost."""

    def __init__(self, state: MemoryQueueState) -> None:
        self._state = state
        self._tokens = count(1)

    async def current(self) -> str | None:
        """Return the mark when a full rebuild was finished on the data that is there now."""
        async with self._state.command() as data:
            return data.epoch if data.epoch == _CURRENT else None

    async def begin_rebuild(self) -> str:
        """Mark a rebuild as begun, or join the one that is under way; return its token."""
        async with self._state.command() as data:
            if data.epoch in {"", _CURRENT}:
                data.epoch = f"building:{next(self._tokens)}"
            return data.epoch

    async def finish_rebuild(self, token: str) -> bool:
        """Mark the rebuild as finished unless the data was lost meanwhile."""
        async with self._state.command() as data:
            if data.epoch == token:
                data.epoch = _CURRENT
            return data.epoch == _CURRENT
