"""A watcher that notes what it sees."""

import asyncio
from contextlib import aclosing

from scheduler.adapters.grpc.client_views import EventView
from scheduler.domain.state import JobState
from tests.acceptance.driver import Client


class Watch:
    """Follows one job from the moment it is made, inside a running event loop."""

    events: list[EventView]

    def __init__(self, client: Client, job_id: str, after_version: int = 0) -> None:
        self.events = []
        self._client = client
        self._job_id = job_id
        self._after_version = after_version
        self._task = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        async with aclosing(self._client.watch(self._job_id, after_version=self._after_version)) as events:
            async for event in events:
                self.events.append(event)

    @property
    def states(self) -> list[JobState]:
        """Return the states seen so far, in order."""
        return [event.state for event in self.events]

    @property
    def versions(self) -> list[int]:
        """Return the versions seen so far, in order."""
        return [event.version for event in self.events]

    async def ended(self) -> None:
        """Wait until the watch ends by itself; raises what it was refused with."""
        await asyncio.shield(self._task)

    async def close(self) -> None:
        """End it."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
