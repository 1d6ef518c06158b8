from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scheduler.adapters.grpc import page_token
from scheduler.adapters.grpc.pages import MAX_PAGE_BYTES, list_response
from scheduler.application.dto import JobFilter, JobPage, ListCursor
from scheduler.domain.errors import InvalidFieldError
from tests.support.builders import NOW, a_job, a_job_id
from tests.unit.grpc.strategies import cursors, job_filters


def refused(token: str, job_filter: JobFilter) -> bool:
    with pytest.raises(InvalidFieldError) as caught:
        page_token.decode(token, job_filter)
    return caught.value.field == "page_token"


@given(cursors(), job_filters())
def test_a_token_leads_back_to_its_place(cursor: ListCursor, job_filter: JobFilter) -> None:
    assert page_token.decode(page_token.encode(cursor, job_filter), job_filter) == cursor


def test_no_place_is_no_token_and_the_other_way_round() -> None:
    assert page_token.encode(None, JobFilter()) == ""
    assert page_token.decode("", JobFilter()) is None


@given(cursors(), job_filters(), job_filters())
def test_a_token_is_refused_with_other_filters(cursor: ListCursor, ours: JobFilter, other: JobFilter) -> None:
    assume(ours != other)
    assert refused(page_token.encode(cursor, ours), other)


@given(cursors(), st.integers(0, 32), st.integers(1, 255))
def test_a_changed_token_is_refused(cursor: ListCursor, position: int, flip: int) -> None:
    data = bytearray(urlsafe_b64decode(page_token.encode(cursor, JobFilter())))
    data[position] ^= flip
    assert refused(urlsafe_b64encode(data).decode(), JobFilter())


@given(st.text(min_size=1))
def test_any_other_text_is_refused(text: str) -> None:
    assert refused(text, JobFilter())


@pytest.mark.parametrize("noise", ["!", " ", "\n", "é", "=", "A", "AAAA"])
def test_a_token_with_something_added_is_refused(noise: str) -> None:
    token = page_token.encode(ListCursor(created_at=NOW, job_id=a_job_id()), JobFilter())
    assert refused(token + noise, JobFilter())


def test_a_page_too_large_for_a_message_is_cut_and_goes_on_where_it_was_cut() -> None:
    jobs = [a_job(labels={f"{n}{'k' * 50}": "v" * 256 for n in range(32)}) for _ in range(1000)]
    token = ""
    seen: list[str] = []
    pages = 0
    while True:
        rest = jobs[len(seen) :]
        response = list_response(JobPage(jobs=rest, next=None), JobFilter())
        assert response.ByteSize() <= MAX_PAGE_BYTES
        seen += [job.job_id for job in response.jobs]
        pages += 1
        token = response.next_page_token
        if not token:
            break
        cursor = page_token.decode(token, JobFilter())
        assert cursor is not None
        assert str(cursor.job_id) == seen[-1]
    assert seen == [str(job.id) for job in jobs]
    assert pages > 1
