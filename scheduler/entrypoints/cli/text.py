"""Texts of others, made fit for a terminal."""

from datetime import UTC, datetime, timedelta

_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def moment(at: datetime | None) -> str:
    """Show a time in UTC with seconds; nothing for None."""
    return "" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def age(span: timedelta | None) -> str:
    """Show a span by its largest unit, as in `3m`; nothing for None."""
    if span is None:
        return ""
    seconds = max(0, int(span.total_seconds()))
    unit, size = next(((unit, size) for unit, size in _UNITS if seconds >= size), ("s", 1))
    return f"{seconds // size}{unit}"
