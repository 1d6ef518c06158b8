"""Where a list goes on, as a text that clients hand back unread."""

from scheduler.adapters.grpc.sealed_place import SealedPlace
from scheduler.application.dto import JobFilter, ListCursor
from scheduler.domain.errors import InvalidFieldError

_PLACE = SealedPlace(times=1)


def encode(cursor: ListCursor | None, job_filter: JobFilter) -> str:
    """Write a token; empty when there is no next page."""
    if cursor is None:
        return ""
    return _PLACE.write([cursor.created_at], cursor.job_id, bound_to=_content(job_filter))


def decode(token: str, job_filter: JobFilter) -> ListCursor | None:
    """Read a token, None from an empty one; raise InvalidFieldError unless `encode` made it for the same filters."""
    if not token:
        return None
    try:
        (created_at,), job_id = _PLACE.read(token, bound_to=_content(job_filter))
    except (ValueError, OverflowError) as error:
        raise InvalidFieldError("page_token", "is not from a page of a list with these filters") from error
    return ListCursor(created_at=created_at, job_id=job_id)


def _content(job_filter: JobFilter) -> object:
    return (
        job_filter.state and str(job_filter.state),
        job_filter.priority and str(job_filter.priority),
        job_filter.type,
        sorted(job_filter.labels.items()),
        job_filter.created_after and job_filter.created_after.isoformat(),
        job_filter.created_before and job_filter.created_before.isoformat(),
        *([] if job_filter.error_fingerprint is None else [job_filter.error_fingerprint]),
    )
