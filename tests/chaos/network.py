"""Fault proxies that live in a thread of their own, so that traffic flows whatever the test's own thread does."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Self, TypeVar

from tests.support.proxy import FaultProxy

T = TypeVar("T")
HOST = "127.0.0.1"


class Link:
    """One process's way to one server. Its methods may be called from any thread."""

    def __init__(self, proxy: FaultProxy, loop: asyncio.AbstractEventLoop) -> None:
        self._proxy = proxy
        self._loop = loop

    @property
    def port(self) -> int:
        return self._proxy.port

    @property
    def lost_replies(self) -> int:
        return self._proxy.lost_replies

    @property
    def connections(self) -> int:
        return self._proxy.connections

    def do(self, fault: Callable[[FaultProxy], None]) -> None:
        """Cause or heal a fault, and return when that is done."""

        async def act() -> None:
            fault(self._proxy)

        asyncio.run_coroutine_threadsafe(act(), self._loop).result()

    def heal(self) -> None:
        self.do(FaultProxy.heal)

    def redirect(self, port: int) -> None:
        """Lead to another server from now on."""
        self.do(lambda proxy: proxy.redirect(port))


class Network:
    """All links of a fleet."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)
        self._proxies: list[FaultProxy] = []

    def link(self, port: int) -> Link:
        """Open a new way to the server on this port."""
        proxy = FaultProxy(HOST, port)
        self._run(proxy.start())
        self._proxies.append(proxy)
        return Link(proxy, self._loop)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for proxy in self._proxies:
            self._run(proxy.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[object, object, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()
