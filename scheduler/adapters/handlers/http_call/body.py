"""Response bodies, read to a limit and no further."""

import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

READ_LIMIT = 64 * 1024
"""Bytes read of a body, as sent and as decoded: more than is kept, for a connection lasts when the body has ended."""
KEPT_BYTES = 4096
_COMPRESSED = frozenset({"gzip", "x-gzip", "deflate"})


@dataclass(slots=True)
class Body:
    """Grows while it is read."""

    encoding: str
    """The Content-Encoding."""
    content: bytes = b""
    ended: bool = False

    async def read(self, chunks: AsyncIterator[bytes]) -> None:
        """Read until the body's end or the limit; what was read before an error stays."""
        decode = _Inflate() if self.encoding in _COMPRESSED else _keep
        received = 0
        async for chunk in chunks:
            received += len(chunk)
            self.content += decode(chunk, READ_LIMIT - len(self.content))
            if received >= READ_LIMIT or len(self.content) >= READ_LIMIT:
                return
        self.ended = True


def readable(body: bytes) -> str:
    """Return a body as text, whatever it is."""
    return body.decode(errors="replace")


def _keep(chunk: bytes, limit: int) -> bytes:
    return chunk[:limit]


class _Inflate:
    """Decodes gzip and zlib streams; what cannot be decoded adds nothing."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        self._failed = False

    def __call__(self, chunk: bytes, limit: int) -> bytes:
        if self._failed:
            return b""
        try:
            return self._stream.decompress(chunk, limit)
        except zlib.error:
            self._failed = True
            return b""
