"""Points in time and spans of it, between protobuf and the standard library. Whole numbers only, for speed."""

from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from scheduler.domain.errors import InvalidFieldError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_SECOND = -62_135_596_800
_LAST_SECOND = 253_402_300_799
_LONGEST_SECONDS = 315_576_000_000
_SECONDS_PER_DAY = 86_400
_NANOS_PER_SECOND = 1_000_000_000
_NANOS_PER_MICROSECOND = 1_000


def to_datetime(field: str, value: Timestamp) -> datetime:
    """Read a time, cut to microseconds; raise InvalidFieldError outside the years 1 to 9999."""
    seconds, nanos = value.seconds, value.nanos
    if not (_FIRST_SECOND <= seconds <= _LAST_SECOND and 0 <= nanos < _NANOS_PER_SECOND):
        raise InvalidFieldError(field, "must be in the years 1 to 9999, with 0 to 999999999 nanos")
    return _EPOCH + timedelta(seconds=seconds, microseconds=nanos // _NANOS_PER_MICROSECOND)


def from_datetime(at: datetime) -> Timestamp:
    """Write a time."""
    since = at - _EPOCH
    return Timestamp(
        seconds=since.days * _SECONDS_PER_DAY + since.seconds, nanos=since.microseconds * _NANOS_PER_MICROSECOND
    )


def to_timedelta(field: str, value: Duration) -> timedelta:
    """Read a span, cut to microseconds; raise InvalidFieldError where protobuf's rules are broken."""
    seconds, nanos = value.seconds, value.nanos
    if not (abs(seconds) <= _LONGEST_SECONDS and abs(nanos) < _NANOS_PER_SECOND) or seconds * nanos < 0:
        raise InvalidFieldError(field, "must be within 10000 years, with seconds and nanos of one sign")
    return timedelta(seconds=seconds, microseconds=int(nanos / _NANOS_PER_MICROSECOND))


def from_timedelta(span: timedelta) -> Duration:
    """Write a span; seconds and nanos get the same sign, as protobuf demands."""
    size = abs(span)
    sign = -1 if span < timedelta(0) else 1
    return Duration(
        seconds=sign * (size.days * _SECONDS_PER_DAY + size.seconds),
        nanos=sign * size.microseconds * _NANOS_PER_MICROSECOND,
    )
