"""Response bodies, read to a limit and no further."""

import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass

READ_LIMIT = 64 * 1024
"""Bytes read of a body, as sent and as decoded: more than is kept, for a connection lasts when the body has ended."""
KEPT_BYTES = 4096
_COMPRESSED = frozenset({"gzip", "x-gzip", "deflate"})
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_RAW = -zlib.MAX_WBITS
_HEADERS_BEGIN_WITH = (0x8, 0xF)
"""The low half of the first byte of zlib's header, and of gzip's. No raw stream of deflate begins so."""


@dataclass(slots=True)
class Body:
    """Grows while it is read."""

    encoding: str
    """The Content-Encoding."""
    content: bytes = b""
    ended: bool = False
    """All that was sent has been read."""
    whole: bool = False
    """And all of it could be decoded."""

    async def read(self, chunks: AsyncIterator[bytes]) -> None:
        """Read until the body's end or the limit; what was read before an error stays."""
        decode = _Inflate() if self.encoding in _COMPRESSED else _Keep()
        received = 0
        async for chunk in chunks:
            received += len(chunk)
            self.content += decode(chunk, READ_LIMIT - len(self.content))
            if received >= READ_LIMIT or len(self.content) >= READ_LIMIT:
                return
        self.ended = True
        self.whole = decode.complete


def readable(body: bytes) -> str:
    """Return a body as text, whatever it is."""
    return body.decode(errors="replace")


class _Keep:
    """Takes bytes as they are."""

    complete = True

    def __call__(self, chunk: bytes, limit: int) -> bytes:
        return chunk[:limit]


class _Inflate:
    """Decodes gzip, zlib and raw deflate streams, as far as they can be decoded."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=_GZIP_OR_ZLIB)
        self._begun = False
        self._failed = False

    @property
    def complete(self) -> bool:
        """Tell whether the stream has come to its end, and nothing came after it; no bytes at all are no stream."""
        return not self._begun or (self._stream.eof and not self._stream.unused_data)

    def __call__(self, chunk: bytes, limit: int) -> bytes:
        if self._failed or not chunk:
            return b""
        if not self._begun and chunk[0] & 0xF not in _HEADERS_BEGIN_WITH:
            self._stream = zlib.decompressobj(wbits=_RAW)
        self._begun = True
        before = self._stream.copy()
        try:
            return self._stream.decompress(chunk, limit)
        except zlib.error:
            self._failed = True
            return _until_it_fails(before.decompress, chunk)


def _until_it_fails(decompress: Callable[[bytes], bytes], chunk: bytes) -> bytes:
    """Decode byte by byte: a call that fails gives back nothing of what it decoded before."""
    decoded = bytearray()
    with suppress(zlib.error):
        for byte in chunk:
            decoded += decompress(bytes([byte]))
    return bytes(decoded)
