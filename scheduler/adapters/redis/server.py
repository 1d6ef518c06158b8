"""The one boundary to Redis: within the caller's deadline, behind the circuit breaker, with our errors."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import NoScriptError

from scheduler.adapters.redis.breaker import CircuitBreaker
from scheduler.adapters.redis.client import COMMAND_SECONDS, open_client
from scheduler.adapters.redis.errors import REDIS_FAULTS, translate
from scheduler.adapters.redis.keys import Keys
from scheduler.adapters.redis.scripts import Script
from scheduler.application.deadline import remaining_seconds
from scheduler.application.errors import QueueUnavailableError
from scheduler.application.ports.clock import Clock
from scheduler.application.ports.randomness import Randomness
from scheduler.application.ports.telemetry import FaultTelemetry, QueueTelemetry
from scheduler.application.unobserved import UNOBSERVED

T = TypeVar("T")

PROBE_SECONDS = 0.5
"""Nobody waits longer for a server that was away a moment ago; a shorter wait that ends proves nothing."""
_CLOSE_SECONDS = 1.0


class RedisServer:
    """A server that may be away at any time. All methods raise QueueUnavailableError."""

    def __init__(
        self,
        url: str,
        *,
        clock: Clock,
        randomness: Randomness,
        faults: FaultTelemetry,
        telemetry: QueueTelemetry = UNOBSERVED,
        keys: Keys | None = None,
        client_name: str = "scheduler",
    ) -> None:
        self.keys = keys or Keys()
        self._telemetry = telemetry
        self.breaker = CircuitBreaker(clock=clock, randomness=randomness, faults=faults, telemetry=telemetry)
        self._client = open_client(url, client_name=client_name)

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[str | int] = ()) -> Any:  # noqa: ANN401 - a reply
        """Run a script, which the server may not know yet, or no longer."""
        return await self._guarded(script.name, lambda: self._evaluate(script, keys, args))

    async def try_writing(self) -> None:
        """Ask for a write that changes nothing: unlike PING it fails on a full server and on a replica."""
        await self._guarded("write_probe", lambda: self._client.set(self.keys.health, "", xx=True))

    async def connect(self) -> AbstractConnection:
        """Open a connection of the caller's own, outside the pool."""
        pool = self._client.connection_pool
        connection: AbstractConnection = pool.connection_class(**pool.connection_kwargs)
        try:
            await self._guarded("connect", connection.connect)
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return connection

    async def aclose(self) -> None:
        """Close all idle connections and those in use."""
        with suppress(*REDIS_FAULTS):
            await self._client.aclose()

    async def _evaluate(self, script: Script, keys: Sequence[str], args: Sequence[str | int]) -> Any:  # noqa: ANN401 - a reply
        try:
            return await self._client.evalsha(script.sha, len(keys), *keys, *args)
        except NoScriptError:
            return await self._client.eval(script.text, len(keys), *keys, *args)

    async def _guarded(self, operation: str, work: Callable[[], Awaitable[T]]) -> T:
        """Do the work unless Redis is away, and tell the breaker how it went."""
        if remaining_seconds() <= 0:
            raise QueueUnavailableError("no time is left to ask Redis")
        probe = self.breaker.admit()
        with self._telemetry.call(operation):
            return await self._tried(work, probe=probe)

    async def _tried(self, work: Callable[[], Awaitable[T]], *, probe: bool) -> T:
        limit = min(remaining_seconds(), PROBE_SECONDS if probe else COMMAND_SECONDS)
        try:
            async with asyncio.timeout(limit):
                reply = await work()
        except REDIS_FAULTS as error:
            failure = translate(error)
            await self._note(failure, probe=probe, proven=not isinstance(error, TimeoutError) or limit >= PROBE_SECONDS)
            raise failure from error
        except BaseException:
            self.breaker.abandoned(probe=probe)
            raise
        self.breaker.succeeded()
        return reply

    async def _note(self, failure: QueueUnavailableError, *, probe: bool, proven: bool) -> None:
        if not proven:
            self.breaker.abandoned(probe=probe)
            return
        self.breaker.failed(failure)
        # The idle connections lead to the server that failed: after a failover, to the one that is no master now.
        with suppress(*REDIS_FAULTS):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._client.connection_pool.disconnect(inuse_connections=False)
