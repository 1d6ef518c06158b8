"""What arguments mean."""

from datetime import UTC, datetime, timedelta

import pytest
import typer

from scheduler.entrypoints.cli.parsing import parse_duration, parse_labels, parse_moment


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("250ms", timedelta(milliseconds=250)),
        ("30s", timedelta(seconds=30)),
        ("1.5h", timedelta(minutes=90)),
        ("1m30s", timedelta(seconds=90)),
        ("2d", timedelta(days=2)),
        ("0.25", timedelta(milliseconds=250)),
        ("7", timedelta(seconds=7)),
    ],
)
def test_a_span_is_written_with_units_or_in_seconds(text: str, span: timedelta) -> None:
    assert parse_duration(text) == span


@pytest.mark.parametrize(
    "text", ["", "s", "-5s", "5 s", "5x", "1h-30m", "1e3", "nan", "inf", "9" * 400, f"{'9' * 40}d"]
)
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-03-04T05:06:07Z", datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)),
        ("2026-03-04T05:06:07.25+02:00", datetime(2026, 3, 4, 3, 6, 7, 250_000, tzinfo=UTC)),
        ("2026-03-04 05:06", datetime(2026, 3, 4, 5, 6, tzinfo=UTC)),
        ("2026-03-04", datetime(2026, 3, 4, tzinfo=UTC)),
    ],
)
def test_a_moment_is_iso_8601_and_utc_without_an_offset(text: str, at: datetime) -> None:
    assert parse_moment(text) == at


@pytest.mark.parametrize(("text", "distance"), [("+90s", 90), ("-2h", -7200), ("+1m30s", 90)])
def test_a_moment_may_be_told_from_now(text: str, distance: float) -> None:
    before = datetime.now(UTC)
    at = parse_moment(text)
    after = datetime.now(UTC)

    assert before <= at - timedelta(seconds=distance) <= after


@pytest.mark.parametrize(
    "text",
    ["", "tomorrow", "+", "+x", "2026-13-01", "+99999999d", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00+12:00"],
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_moment(text)


def test_labels_are_pairs_of_which_the_value_may_be_empty_or_hold_the_sign() -> None:
    assert parse_labels(["a=1", "b=", "c=x=y"]) == {"a": "1", "b": "", "c": "x=y"}


@pytest.mark.parametrize("pairs", [["a"], ["=1"], ["a=1", "a=2"]])
def test_what_are_no_labels_is_refused(pairs: list[str]) -> None:
    with pytest.raises(typer.BadParameter):
        parse_labels(pairs)
