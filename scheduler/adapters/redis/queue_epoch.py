"""Whether Redis still holds what a full rebuild put there."""

from secrets import token_hex

from scheduler.adapters.redis.scripts import Script
from scheduler.adapters.redis.server import RedisServer
from scheduler.application.ports.queue_maintenance import QueueEpoch


class RedisQueueEpoch(QueueEpoch):
    """A mark that names the server's run: a flush deletes it, a restart and a failover make it name another run."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._keys = [server.keys.epoch]
        self._current_run = Script.load("epoch", "current_run")
        self._begin = Script.load("epoch", "begin_rebuild")
        self._finish = Script.load("epoch", "finish_rebuild")

    async def current(self) -> str | None:
        """Compare the mark with the server's run, and return that."""
        run: bytes | None = await self._server.run(self._current_run, self._keys)
        return None if run is None else run.decode()

    async def begin_rebuild(self) -> str:
        """Mark a rebuild; one that has begun on the same data is joined."""
        token: bytes = await self._server.run(self._begin, self._keys, [token_hex(8)])
        return token.decode()

    async def finish_rebuild(self, token: str) -> bool:
        """Replace the mark of the rebuild by that of the run; True also when a rebuild beside it has done so."""
        return bool(await self._server.run(self._finish, self._keys, [token]))
