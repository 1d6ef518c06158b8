import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.text import MAX_TEXT_BYTES, clean_text


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("", ""),
        ("plain\nä \U0001f600", "plain\nä \U0001f600"),
        ("a\0b\0", "a\ufffdb\ufffd"),
        ("\ud800x\udfff", "\ufffdx\ufffd"),
    ],
)
def test_what_cannot_be_stored_is_replaced(dirty: str, clean: str) -> None:
    assert clean_text(dirty) == clean


@pytest.mark.parametrize(("limit", "kept"), [(7, "aé\U0001f600"), (6, "aé"), (4, "aé"), (3, "aé"), (2, "a"), (0, "")])
def test_a_cut_leaves_no_half_character(limit: int, kept: str) -> None:
    assert clean_text("aé\U0001f600", limit) == kept


def test_a_text_is_cut_to_four_kibibytes() -> None:
    assert clean_text("x" * MAX_TEXT_BYTES) == "x" * 4096
    assert clean_text("x" * (MAX_TEXT_BYTES + 1)) == "x" * 4096


@given(text=st.text() | st.lists(st.integers(0, 0x10FFFF).map(chr)).map("".join), limit=st.integers(0, 40))
def test_a_clean_text_can_be_stored_and_stays_as_it_is(text: str, limit: int) -> None:
    clean = clean_text(text, limit)

    assert "\0" not in clean
    assert len(clean.encode("utf-8")) <= limit
    assert clean_text(clean, limit) == clean
