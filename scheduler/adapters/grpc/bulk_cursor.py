"""Where a bulk change goes on, as a text that clients hand back unread: a page token of another kind of walk."""

from dataclasses import fields
from datetime import UTC, datetime
from uuid import UUID

from scheduler.adapters.grpc.sealed_place import SealedPlace
from scheduler.application.dead_letters import BulkCursor, EndedCursor, EndedFilter
from scheduler.domain.errors import InvalidFieldError
from scheduler.domain.ids import JobId

_PLACE = SealedPlace(times=2)
_BEGINNING = EndedCursor(at=datetime.min.replace(tzinfo=UTC), job_id=JobId(UUID(int=0)))


def encode(cursor: BulkCursor | None, job_filter: EndedFilter) -> str:
    """Write a cursor; empty when there is none."""
    if cursor is None:
        return ""
    after = cursor.after or _BEGINNING
    return _PLACE.write([cursor.finished_before, after.at], after.job_id, bound_to=_content(job_filter))


def decode(text: str, job_filter: EndedFilter) -> BulkCursor | None:
    """Read a cursor, None from an empty one; raise InvalidFieldError unless `encode` made it for the same filter."""
    if not text:
        return None
    try:
        (before, at), job_id = _PLACE.read(text, bound_to=_content(job_filter))
    except (ValueError, OverflowError) as error:
        raise InvalidFieldError("cursor", "is not from an answer to a request with this filter") from error
    return BulkCursor(finished_before=before, after=EndedCursor(at=at, job_id=job_id))


def _content(job_filter: EndedFilter) -> object:
    return [(field.name, _stable(getattr(job_filter, field.name))) for field in fields(job_filter)]


def _stable(value: object) -> object:
    """Return what the same filter looks like in every process."""
    if isinstance(value, frozenset | set):
        return sorted(map(str, value))
    if isinstance(value, dict):
        return sorted(value.items())
    return value if value is None else str(value)
