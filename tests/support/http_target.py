"""Web servers on loopback, in the test's own event loop, that answer as the test says."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

from trustme import CA

PATIENCE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came over the wire."""

    method: str
    resource: str
    headers: Mapping[str, str]
    body: bytes


Answer = Callable[[Received, asyncio.StreamWriter], Awaitable[None]]
"""Writes the response; the connection stays open unless it closes it."""


@dataclass(slots=True)
class HttpTarget:
    """An HTTP/1.1 server."""

    answer: Answer
    port: int = 0
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    ended: int = 0
    """Connections that the client has closed."""
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def url(self, resource: str = "/", *, host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{resource}"

    async def until(self, holds: Callable[["HttpTarget"], bool]) -> None:
        """Wait until the condition holds."""
        async with asyncio.timeout(PATIENCE_SECONDS), self.changed:
            await self.changed.wait_for(lambda: holds(self))

    async def _note(self, change: Callable[[], None]) -> None:
        async with self.changed:
            change()
            self.changed.notify_all()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._note(self._count_connection)
        try:
            while True:
                request = await _read_request(reader)
                await self._note(partial(self.received.append, request))
                await self.answer(request, writer)
                if writer.is_closing():
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            await self._note(self._count_end)
        finally:
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    def _count_connection(self) -> None:
        self.connections += 1

    def _count_end(self) -> None:
        self.ended += 1


async def _read_request(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, resource, version = first.split(" ")
    assert version == "HTTP/1.1"
    headers = dict(line.split(": ", 1) for line in lines)
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(method, resource, headers, body)


@asynccontextmanager
async def serving(
    answer: Answer, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[HttpTarget]:
    """Serve until the block ends; then stop, whatever connections are doing."""
    target = HttpTarget(answer)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        await target.serve(reader, writer)

    server = await asyncio.start_server(serve, host, 0, ssl=tls)
    target.port = server.sockets[0].getsockname()[1]
    try:
        yield target
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def response(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    """Make a response; underscores in header names stand for hyphens."""
    given = {"content-length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n".encode("latin-1") + body


def answering(*responses: bytes) -> Answer:
    """Answer each request with the next response, and with the last one from then on."""
    left = list(responses)

    async def answer(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(left.pop(0) if len(left) > 1 else left[0])
        await writer.drain()

    return answer


def server_tls(authority: CA, *names: str, alpn: str = "http/1.1") -> ssl.SSLContext:
    """Return a server's side of TLS with a certificate for the names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    context.set_alpn_protocols([alpn])
    return context
