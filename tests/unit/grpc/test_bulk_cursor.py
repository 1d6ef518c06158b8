from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scheduler.adapters.grpc import bulk_cursor
from scheduler.application.dead_letters import BulkCursor, EndedFilter
from scheduler.domain.errors import InvalidFieldError
from scheduler.domain.state import DEAD_STATES, FINAL_STATES
from tests.support.builders import NOW
from tests.unit.grpc.strategies import bulk_cursors, ended_filters

DEAD = EndedFilter(states=DEAD_STATES)


def refused(text: str, job_filter: EndedFilter) -> bool:
    with pytest.raises(InvalidFieldError) as caught:
        bulk_cursor.decode(text, job_filter)
    return caught.value.field == "cursor"


@given(bulk_cursors(), ended_filters())
def test_a_cursor_leads_back_to_its_place(cursor: BulkCursor, job_filter: EndedFilter) -> None:
    assert bulk_cursor.decode(bulk_cursor.encode(cursor, job_filter), job_filter) == cursor


def test_no_place_is_no_cursor_and_the_other_way_round() -> None:
    assert bulk_cursor.encode(None, DEAD) == ""
    assert bulk_cursor.decode("", DEAD) is None


def test_a_walk_that_has_not_begun_goes_on_at_its_beginning() -> None:
    text = bulk_cursor.encode(BulkCursor(finished_before=NOW, after=None), DEAD)
    found = bulk_cursor.decode(text, DEAD)
    assert found is not None
    assert found.after is not None
    assert (found.finished_before, found.after.at.year, found.after.job_id.int) == (NOW, 1, 0)


@given(bulk_cursors(), ended_filters(), ended_filters())
def test_a_cursor_is_refused_with_another_filter(cursor: BulkCursor, ours: EndedFilter, other: EndedFilter) -> None:
    assume(ours != other)
    assert refused(bulk_cursor.encode(cursor, ours), other)


@given(bulk_cursors(), st.integers(0, 41), st.integers(1, 255))
def test_a_changed_cursor_is_refused(cursor: BulkCursor, position: int, flip: int) -> None:
    data = bytearray(urlsafe_b64decode(bulk_cursor.encode(cursor, DEAD)))
    data[position] ^= flip
    assert refused(urlsafe_b64encode(data).decode(), DEAD)


@given(st.text(min_size=1))
def test_any_other_text_is_refused(text: str) -> None:
    assert refused(text, DEAD)


def test_a_cursor_fits_the_same_filter_in_another_process() -> None:
    cursor = BulkCursor(finished_before=NOW, after=None)
    one = EndedFilter(states=FINAL_STATES, labels={"a": "1", "b": "2"})
    same = EndedFilter(states=frozenset(sorted(FINAL_STATES, reverse=True)), labels={"b": "2", "a": "1"})
    text = bulk_cursor.encode(cursor, one)
    assert bulk_cursor.decode(text, same) is not None
    assert text.startswith("a1guM_q89tfU")
