"""Texts of others, made fit for a terminal."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from scheduler.domain.text import printable
from scheduler.entrypoints.cli.text import age, moment


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("größer → 大", "größer → 大"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("two\nlines\r", "two\\nlines\\r"),
        ("\u202eevil", "\\u202eevil"),
    ],
)
def test_nothing_that_a_job_holds_can_steer_the_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(-1, "0s"), (0.9, "0s"), (59, "59s"), (60, "1m"), (7199, "1h"), (172_800, "2d")]
)
def test_an_age_is_told_by_its_largest_unit(seconds: float, shown: str) -> None:
    assert age(timedelta(seconds=seconds)) == shown


def test_times_are_shown_in_utc() -> None:
    at = datetime(2026, 3, 4, 5, 6, 7, tzinfo=timezone(timedelta(hours=2)))

    assert moment(at) == "2026-03-04 03:06:07Z"
    assert moment(at.astimezone(UTC)) == moment(at)


def test_what_is_unknown_is_left_blank() -> None:
    assert (age(None), moment(None)) == ("", "")
