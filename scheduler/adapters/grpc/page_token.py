"""Where a list goes on, as a text that clients hand back unread.

A digest binds the token to the filters it was made under: with others, its place would mean nothing.
"""

from base64 import b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from struct import Struct
from uuid import UUID

from scheduler.application.dto import JobFilter, ListCursor
from scheduler.domain.errors import InvalidFieldError
from scheduler.domain.ids import JobId

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_PLACE = Struct(">q16s")
_DIGEST_BYTES = 9
_TOKEN_CHARACTERS = 44
"""Of 33 bytes: a multiple of three, so that base64 needs no padding."""


def encode(cursor: ListCursor | None, job_filter: JobFilter) -> str:
    """Write a token; empty when there is no next page."""
    if cursor is None:
        return ""
    place = _PLACE.pack((cursor.created_at - _EPOCH) // _MICROSECOND, cursor.job_id.bytes)
    return urlsafe_b64encode(_digest(place, job_filter) + place).decode("ascii")


def decode(token: str, job_filter: JobFilter) -> ListCursor | None:
    """Read a token, None from an empty one; raise InvalidFieldError unless `encode` made it for the same filters."""
    if not token:
        return None
    try:
        digest, place = _split(token)
        if digest != _digest(place, job_filter):
            raise ValueError  # noqa: TRY301 - one answer to all that is wrong with a token
        micros, job_id = _PLACE.unpack(place)
        return ListCursor(created_at=_EPOCH + micros * _MICROSECOND, job_id=JobId(UUID(bytes=job_id)))
    except (ValueError, OverflowError) as error:
        raise InvalidFieldError("page_token", "is not from a page of a list with these filters") from error


def _split(token: str) -> tuple[bytes, bytes]:
    if len(token) != _TOKEN_CHARACTERS:
        raise ValueError
    data = b64decode(token, altchars=b"-_", validate=True)
    return data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]


def _digest(place: bytes, job_filter: JobFilter) -> bytes:
    content = (
        job_filter.state and str(job_filter.state),
        job_filter.priority and str(job_filter.priority),
        job_filter.type,
        sorted(job_filter.labels.items()),
        job_filter.created_after and job_filter.created_after.isoformat(),
        job_filter.created_before and job_filter.created_before.isoformat(),
        *([] if job_filter.error_fingerprint is None else [job_filter.error_fingerprint]),
    )
    return blake2b(place + repr(content).encode(), digest_size=_DIGEST_BYTES).digest()
