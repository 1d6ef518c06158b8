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
        self._is_current = Script.load("epoch", "is_current")
        self._begin = Script.load("epoch", "begin_rebuild")
        self._finish = Script.load("epoch", "finish_rebuild")

    async def is_current(self) -> bool:
        """Compare the mark with the server's run."""
        return bool(await self._server.run(self._is_current, self._keys))

    async def begin_rebuild(self) -> str:
        """Mark a rebuild; one that has begun on the same data is joined."""
        token: bytes = await self._server.run(self._begin, self._keys, [token_hex(8)])
        return token.decode()

    async def finish_rebuild(self, token: str) -> bool:
        """Replace the mark of the rebuild by that of the run; True also when a rebuild beside it has done so."""
        return bool(await self._server.run(self._finish, self._keys, [token]))
