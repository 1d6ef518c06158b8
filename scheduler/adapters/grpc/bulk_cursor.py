"""Where a bulk change goes on, as a text that clients hand back unread: a page token of another kind of walk."""

from base64 import b64decode, urlsafe_b64encode
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from struct import Struct
from uuid import UUID

from scheduler.application.dead_letters import BulkCursor, EndedCursor, EndedFilter
from scheduler.domain.errors import InvalidFieldError
from scheduler.domain.ids import JobId

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_PLACE = Struct(">qq16s")
_DIGEST_BYTES = 10
_TOKEN_CHARACTERS = 56
"""Of 42 bytes: a multiple of three, so that base64 needs no padding."""
_BEGINNING = EndedCursor(at=datetime.min.replace(tzinfo=UTC), job_id=JobId(UUID(int=0)))


def encode(cursor: BulkCursor | None, job_filter: EndedFilter) -> str:
    """Write a cursor; empty when there is none."""
    if cursor is None:
        return ""
    after = cursor.after or _BEGINNING
    place = _PLACE.pack(_micros(cursor.finished_before), _micros(after.at), after.job_id.bytes)
    return urlsafe_b64encode(_digest(place, job_filter) + place).decode("ascii")


def decode(text: str, job_filter: EndedFilter) -> BulkCursor | None:
    """Read a cursor, None from an empty one; raise InvalidFieldError unless `encode` made it for the same filter."""
    if not text:
        return None
    try:
        data = b64decode(text, altchars=b"-_", validate=True)
        digest, place = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
        if len(text) != _TOKEN_CHARACTERS or digest != _digest(place, job_filter):
            raise ValueError  # noqa: TRY301 - one answer to all that is wrong with a cursor
        before, at, job_id = _PLACE.unpack(place)
        after = EndedCursor(at=_EPOCH + at * _MICROSECOND, job_id=JobId(UUID(bytes=job_id)))
        return BulkCursor(finished_before=_EPOCH + before * _MICROSECOND, after=after)
    except (ValueError, OverflowError) as error:
        raise InvalidFieldError("cursor", "is not from an answer to a request with this filter") from error


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _digest(place: bytes, job_filter: EndedFilter) -> bytes:
    content = [(field.name, _stable(getattr(job_filter, field.name))) for field in fields(job_filter)]
    return blake2b(place + repr(content).encode(), digest_size=_DIGEST_BYTES).digest()


def _stable(value: object) -> object:
    """Return what the same filter looks like in every process."""
    if isinstance(value, frozenset | set):
        return sorted(map(str, value))
    if isinstance(value, dict):
        return sorted(value.items())
    return value if value is None else str(value)
