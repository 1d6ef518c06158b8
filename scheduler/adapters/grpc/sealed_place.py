"""A place in a walk as a text that clients hand back unread, bound to the filter of the walk: it fits no other."""

from base64 import b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from struct import Struct
from uuid import UUID

from scheduler.domain.ids import JobId

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LEAST_DIGEST_BYTES = 9


class SealedPlace:
    """Writes and reads places of so many times and a job."""

    def __init__(self, *, times: int) -> None:
        self._layout = Struct(f">{times}q16s")
        # A multiple of three bytes needs no padding in base64.
        self._digest_bytes = _LEAST_DIGEST_BYTES + -self._layout.size % 3
        self._characters = (self._digest_bytes + self._layout.size) // 3 * 4

    def write(self, times: Sequence[datetime], job_id: JobId, *, bound_to: object) -> str:
        """Write a place; `bound_to` has the same repr in every process."""
        packed = self._layout.pack(*((at - _EPOCH) // _MICROSECOND for at in times), job_id.bytes)
        return urlsafe_b64encode(self._digest(packed, bound_to) + packed).decode("ascii")

    def read(self, text: str, *, bound_to: object) -> tuple[Sequence[datetime], JobId]:
        """Read a place; raise ValueError or OverflowError unless `write` made the text, bound to the same."""
        if len(text) != self._characters:
            raise ValueError
        data = b64decode(text, altchars=b"-_", validate=True)
        digest, packed = data[: self._digest_bytes], data[self._digest_bytes :]
        if digest != self._digest(packed, bound_to):
            raise ValueError
        *times, job_id = self._layout.unpack(packed)
        return [_EPOCH + micros * _MICROSECOND for micros in times], JobId(UUID(bytes=job_id))

    def _digest(self, packed: bytes, bound_to: object) -> bytes:
        return blake2b(packed + repr(bound_to).encode(), digest_size=self._digest_bytes).digest()
