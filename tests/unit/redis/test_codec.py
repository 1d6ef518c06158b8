from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.adapters.redis.codec import chunks, pack_entries, place_of, score_of
from scheduler.adapters.redis.keys import Keys
from scheduler.domain.priority import Priority
from tests.support.builders import a_queue_entry

EXACT_UNTIL = datetime(2255, 1, 1)  # noqa: DTZ001 - hypothesis adds the zone
EXACT_FROM = datetime(1970, 1, 1)  # noqa: DTZ001 - the same


@given(st.datetimes(EXACT_FROM, EXACT_UNTIL, timezones=st.just(UTC)))
def test_a_place_survives_the_double_that_redis_keeps_it_in(at: datetime) -> None:
    stored = float(score_of(at))
    assert place_of(b"%d" % stored) == at
    assert place_of(repr(stored).encode()) == at


@given(st.datetimes(EXACT_FROM, EXACT_UNTIL, timezones=st.just(UTC)))
def test_a_microsecond_is_a_place(at: datetime) -> None:
    assert score_of(at + timedelta(microseconds=1)) == score_of(at) + 1


def test_a_place_is_the_same_in_every_time_zone() -> None:
    at = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert score_of(at) == score_of(at.astimezone(UTC))


@pytest.mark.parametrize("score", [b"inf", b"-inf", b"1e300", b"-1e300"])
def test_a_score_from_strangers_gives_some_place(score: bytes) -> None:
    assert datetime(1600, 1, 1, tzinfo=UTC) < place_of(score) < datetime(2300, 1, 1, tzinfo=UTC)


def test_entries_are_packed_queue_by_queue() -> None:
    low, high, low_too = (a_queue_entry(priority) for priority in (Priority.LOW, Priority.HIGH, Priority.LOW))

    queues, args = pack_entries(Keys("p:"), [low, high, low_too])

    assert queues == ["p:q:low", "p:q:high"]
    assert args[:2] == [2, 1]
    assert args[3::2] == [str(low.job_id), str(low_too.job_id), str(high.job_id)]


def test_chunks_hold_everything_in_order() -> None:
    assert [list(chunk) for chunk in chunks(range(5), 2)] == [[0, 1], [2, 3], [4]]
    assert list(chunks([], 2)) == []
