"""The Retry-After header: seconds, or a date."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from scheduler.adapters.handlers.http_call.messages import Reply
from scheduler.domain.retry import MAX_DELAY

_SECONDS = re.compile(r"[0-9]{1,20}")


def retry_after(reply: Reply, now: datetime) -> timedelta | None:
    """Return how long the server wants to be left alone, None when it does not say so in a way that can be read."""
    text = reply.headers.get("retry-after", "")
    if _SECONDS.fullmatch(text):
        return timedelta(seconds=min(int(text), MAX_DELAY.total_seconds()))
    moment = _date(text)
    if moment is None:
        return None
    # The server's own clock, where it shows it: what it means is a distance.
    return min(max(moment - (_date(reply.headers.get("date", "")) or now), timedelta(0)), MAX_DELAY)


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError, IndexError):
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)
