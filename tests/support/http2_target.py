"""A web server that speaks HTTP/2 over TLS, as far as one request at a time needs."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived

CHUNK_BYTES = 65536


@dataclass(slots=True)
class Http2Target:
    """Answers each request with `body`."""

    body: bytes
    port: int = 0
    requests: list[dict[str, str]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        while chunk := await reader.read(CHUNK_BYTES):
            for event in connection.receive_data(chunk):
                if isinstance(event, RequestReceived):
                    self._answer(connection, event)
            writer.write(connection.data_to_send())
        writer.close()

    def _answer(self, connection: H2Connection, event: RequestReceived) -> None:
        assert event.stream_id is not None
        self.requests.append({str(name): str(value) for name, value in event.headers or ()})
        connection.send_headers(event.stream_id, [(":status", "200")])
        connection.send_data(event.stream_id, self.body, end_stream=True)


@asynccontextmanager
async def serving_http2(body: bytes, tls: ssl.SSLContext) -> AsyncIterator[Http2Target]:
    """Serve until the block ends."""
    target = Http2Target(body)
    server = await asyncio.start_server(target.serve, "127.0.0.1", 0, ssl=tls)
    target.port = server.sockets[0].getsockname()[1]
    try:
        yield target
    finally:
        server.close()
