"""A client of the API made of HTTP/2 frames: it can do what gRPC's own clients never do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ResponseReceived, StreamReset, TrailersReceived

CHUNK_BYTES = 65536


class Http2Peer:
    """Opens calls and never makes room for answers: it reads what comes into the first window, and no more."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._connection = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._connection.initiate_connection()
        self._flush()
        self.is_closed = False
        self.statuses: dict[int, str] = {}

    def open(self, path: str, request: bytes | None = b"") -> int:
        """Begin a call; without a request it stays at its headers."""
        stream = self._connection.get_next_available_stream_id()
        headers = {
            ":method": "POST",
            ":scheme": "http",
            ":path": path,
            ":authority": "test",
            "content-type": "application/grpc",
            "te": "trailers",
        }
        self._connection.send_headers(stream, list(headers.items()))
        if request is not None:
            frame = b"\0" + len(request).to_bytes(4, "big") + request
            self._connection.send_data(stream, frame, end_stream=True)
        self._flush()
        return stream

    def reset(self, stream: int) -> None:
        """Cancel a call."""
        self._connection.reset_stream(stream)
        self._flush()

    async def read(self) -> None:
        """Read until the server hangs up."""
        with suppress(ConnectionError):
            while chunk := await self._reader.read(CHUNK_BYTES):
                for event in self._connection.receive_data(chunk):
                    self._take(event)
                self._flush()
        self.is_closed = True

    def _take(self, event: object) -> None:
        if isinstance(event, TrailersReceived | ResponseReceived) and event.stream_id is not None:
            headers = {str(name): str(value) for name, value in event.headers or ()}
            if "grpc-status" in headers:
                self.statuses[event.stream_id] = headers["grpc-status"]
        if isinstance(event, StreamReset) and event.stream_id is not None:
            self.statuses[event.stream_id] = "reset"

    def _flush(self) -> None:
        self._writer.write(self._connection.data_to_send())


@asynccontextmanager
async def http2_peer(port: int, host: str = "127.0.0.1") -> AsyncIterator[Http2Peer]:
    """Connect, and read in the background."""
    reader, writer = await asyncio.open_connection(host, port)
    peer = Http2Peer(reader, writer)
    reading = asyncio.create_task(peer.read())
    try:
        yield peer
    finally:
        reading.cancel()
        writer.close()
        with suppress(asyncio.CancelledError):
            await reading
