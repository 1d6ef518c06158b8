from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from scheduler.adapters.grpc.times import from_datetime, from_timedelta, to_datetime, to_timedelta
from scheduler.domain.errors import InvalidFieldError
from tests.unit.grpc.strategies import TIMES

YEARS_10000 = timedelta(seconds=315_576_000_000)


@given(TIMES)
def test_a_time_survives_the_wire(at: datetime) -> None:
    assert to_datetime("run_at", from_datetime(at)) == at


@given(TIMES)
def test_a_time_is_written_as_protobuf_itself_would(at: datetime) -> None:
    reference = Timestamp()
    reference.FromDatetime(at)
    assert from_datetime(at) == reference


@given(st.timedeltas(-YEARS_10000, YEARS_10000))
def test_a_span_survives_the_wire_as_protobuf_itself_would_write_it(span: timedelta) -> None:
    reference = Duration()
    reference.FromTimedelta(span)
    assert from_timedelta(span) == reference
    assert to_timedelta("timeout", from_timedelta(span)) == span


def test_a_time_finer_than_a_microsecond_is_cut() -> None:
    assert to_datetime("run_at", Timestamp(seconds=1, nanos=1_999)) == datetime(1970, 1, 1, 0, 0, 1, 1, tzinfo=UTC)
    assert to_datetime("run_at", Timestamp(seconds=-1, nanos=1_999)) == datetime(
        1969, 12, 31, 23, 59, 59, 1, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("seconds", "nanos"),
    [(-62_135_596_801, 0), (253_402_300_800, 0), (0, -1), (0, 1_000_000_000), (2**63 - 1, 0), (-(2**63), 0)],
)
def test_a_time_that_protobuf_does_not_allow_is_refused(seconds: int, nanos: int) -> None:
    with pytest.raises(InvalidFieldError) as caught:
        to_datetime("job.run_at", Timestamp(seconds=seconds, nanos=nanos))
    assert caught.value.field == "job.run_at"


@pytest.mark.parametrize(
    ("seconds", "nanos"),
    [(315_576_000_001, 0), (-315_576_000_001, 0), (0, 1_000_000_000), (1, -1), (-1, 1), (2**63 - 1, 0)],
)
def test_a_span_that_protobuf_does_not_allow_is_refused(seconds: int, nanos: int) -> None:
    with pytest.raises(InvalidFieldError) as caught:
        to_timedelta("timeout", Duration(seconds=seconds, nanos=nanos))
    assert caught.value.field == "timeout"
