"""A TCP proxy that fails as networks do, on command."""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

CHUNK_BYTES = 65536


class FaultProxy:
    """Stands between a client and the server at `host`:`port`; the faults last until `heal`.

    Belongs to the event loop that starts it.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server_address = (host, port)
        self._server: asyncio.Server | None = None
        self._links: set[_Link] = set()
        self._flowing = asyncio.Event()
        self._refusing = False
        self.delay_seconds = 0.0
        self._swallows_replies = False
        self._swallows_requests = False
        self._doomed_request = b""
        self._cuts_doomed = True
        self.lost_replies = 0
        """How many replies `lose_reply_to` has kept from their client."""

    @property
    def port(self) -> int:
        """The port to connect to instead of the server's."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def connections(self) -> int:
        """How many connections clients hold open now."""
        return len(self._links)

    async def start(self) -> Self:
        self._flowing.set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self.heal()
        self.cut()
        await asyncio.gather(*(link.ended.wait() for link in self._links))

    def delay(self, seconds: float) -> None:
        """Hold back each chunk in each direction for so long."""
        self.delay_seconds = seconds

    def cut(self) -> None:
        """Reset all connections; new ones are served."""
        for link in self._links:
            link.abort()

    def refuse(self) -> None:
        """Reset all connections, and each new one as soon as it is there."""
        self._refusing = True
        self.cut()

    def black_hole(self) -> None:
        """Take what is sent and answer nothing, on old and new connections, which all stay open."""
        self._flowing.clear()

    def drop_replies(self) -> None:
        """Bring requests to the server, and no reply back."""
        self._swallows_replies = True

    def drop_requests(self) -> None:
        """Bring replies to the client, and no request of an open connection to the server."""
        self._swallows_requests = True

    def redirect(self, port: int) -> None:
        """Lead to the server at another port from now on; faults stay as they are."""
        self._server_address = (self._server_address[0], port)
        self.cut()

    def lose_reply_to(self, request: bytes, *, cut: bool = True) -> None:
        """Once: bring the request that holds these bytes to the server, wait for its reply, and lose it.

        Then cut the connection, or leave it open and silent for good.
        """
        self._doomed_request = request
        self._cuts_doomed = cut

    def heal(self) -> None:
        """End all faults. What was held back flows on; what was dropped is lost."""
        self._refusing = False
        self.delay_seconds = 0.0
        self._swallows_replies = False
        self._swallows_requests = False
        self._doomed_request = b""
        self._flowing.set()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(writer)
        self._links.add(link)
        try:
            if not self._refusing:
                await self._serve(reader, link)
        finally:
            link.abort()
            self._links.discard(link)
            link.ended.set()

    async def _serve(self, reader: asyncio.StreamReader, link: "_Link") -> None:
        with suppress(OSError):
            await self._flowing.wait()
            upstream, server = await asyncio.open_connection(*self._server_address)
            link.server = server
            requests = asyncio.create_task(self._carry_requests(reader, link, server))
            replies = asyncio.create_task(self._carry_replies(upstream, link))
            await asyncio.wait((requests, replies), return_when=asyncio.FIRST_COMPLETED)
            link.abort()
            await asyncio.wait((requests, replies))

    async def _carry_requests(self, reader: asyncio.StreamReader, link: "_Link", server: asyncio.StreamWriter) -> None:
        seen = b""
        with suppress(OSError):
            while chunk := await self._read(reader):
                seen = seen[-len(self._doomed_request) :] + chunk
                if self._doomed_request and self._doomed_request in seen:
                    self._doomed_request = b""
                    link.doomed = True
                if not self._swallows_requests:
                    server.write(chunk)
                    await server.drain()

    async def _carry_replies(self, upstream: asyncio.StreamReader, link: "_Link") -> None:
        with suppress(OSError):
            while chunk := await self._read(upstream):
                if link.doomed:
                    self.lost_replies += 1
                    if self._cuts_doomed:
                        return
                elif not self._swallows_replies:
                    link.client.write(chunk)
                    await link.client.drain()

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        chunk = await reader.read(CHUNK_BYTES)
        if self.delay_seconds:
            await asyncio.sleep(self.delay_seconds)
        await self._flowing.wait()
        return chunk


class _Link:
    """One client's connection and the one behind it."""

    def __init__(self, client: asyncio.StreamWriter) -> None:
        self.client = client
        self.server: asyncio.StreamWriter | None = None
        self.doomed = False
        self.ended = asyncio.Event()

    def abort(self) -> None:
        """End both connections without a word."""
        for writer in (self.client, self.server):
            if writer is not None:
                writer.transport.abort()
