"""The scheduler as it runs in production: its own processes on real servers, reached over gRPC."""

import asyncio
import signal
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from scheduler.adapters.grpc.client import SchedulerClient
from scheduler.adapters.redis.keys import Keys
from scheduler.adapters.system.clock import MAX_ROUND_TRIP
from scheduler.domain.priority import StrictOrder
from scheduler.entrypoints.children import Child, stop_all
from scheduler.entrypoints.settings import Settings
from scheduler.entrypoints.stack import Stack
from tests.acceptance.driver import Driver, Workers, WorkerTerms
from tests.acceptance.processes import keep_running, send, sibling
from tests.support.redis import RedisBackend

HAND_OUT = timedelta(seconds=1)


class ServerWorkers(Workers):
    """Worker processes on the stack's servers; `standing` is the stack's own."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._named: dict[str, Child] = {}

    async def keep_one(self) -> None:
        keep_running(self._stack.worker)

    async def start(self, name: str, terms: WorkerTerms) -> None:
        order = "weighted" if terms.weighted else "strict"
        child = sibling(
            self._stack.worker, f"worker-{name}", METRICS_PORT=0, WORKER_POOL_SIZE=terms.places, CLAIM_ORDER=order
        )
        child.start()
        self._named[name] = child

    async def stop_all(self) -> None:
        await _stop([*self._named.values(), self._stack.worker])
        self._named.clear()

    async def stop(self, name: str) -> None:
        await _stop([self._named.pop(name)])

    async def crash(self, name: str) -> None:
        child = self._named.pop(name)
        send(child, signal.SIGKILL)
        await asyncio.to_thread(child.await_end)

    async def cut_off(self, name: str) -> None:
        send(self._named[name], signal.SIGSTOP)

    async def reconnect(self, name: str) -> None:
        send(self._named[name], signal.SIGCONT)

    async def take_and_vanish(self, count: int) -> int:
        redis = RedisBackend(self._stack.valkey.url, keys=Keys(Settings().redis_key_prefix))
        try:
            return len(await redis.queue.claim(StrictOrder().plan(count, 0), HAND_OUT))
        finally:
            await redis.close()

    async def end_named(self) -> None:
        """End all but the standing one at once: the jobs that they held are cancelled by now."""
        for name in tuple(self._named):
            await self.crash(name)


async def _stop(children: Sequence[Child]) -> None:
    await asyncio.to_thread(stop_all, children)


class ServersDriver(Driver):
    """A client of the session's stack."""

    slack = timedelta(seconds=30)
    clocks = timedelta(seconds=2 * MAX_ROUND_TRIP)

    def __init__(self, stack: Stack) -> None:
        self.client = SchedulerClient(stack.address)
        self.workers = ServerWorkers(stack)

    def now(self) -> datetime:
        return datetime.now(UTC)

    def new_loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.new_event_loop()

    async def open(self) -> None:
        await self.client.__aenter__()

    async def close(self) -> None:
        await self.workers.end_named()
        await self.client.__aexit__(None, None, None)
