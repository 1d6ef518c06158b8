"""Whatever JSON has a form for can be returned; anything else fails the attempt for good, in words that say so."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count

import pytest
from pydantic import BaseModel

from scheduler.adapters.handlers.result import write_result
from scheduler.handlers import PermanentError


class Thumbnail(BaseModel):
    path: str
    ratio: float = 1.5


@dataclass
class Sent:
    at: datetime


CIRCULAR: list[object] = []
CIRCULAR.append(CIRCULAR)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        (0, "0"),
        ("ä", '"ä"'),
        ({"rows": [1, 2.5, True, None]}, '{"rows":[1,2.5,true,null]}'),
        (Thumbnail(path="a.png"), '{"path":"a.png","ratio":1.5}'),
        ([Sent(datetime(2026, 1, 2, tzinfo=UTC))], '[{"at":"2026-01-02T00:00:00Z"}]'),
        ({1: (1, 2)}, '{"1":[1,2]}'),
    ],
)
def test_a_result_becomes_json(value: object, text: str | None) -> None:
    assert write_result(value) == text


@pytest.mark.parametrize(
    "value",
    [object(), print, float("nan"), Thumbnail(path="a.png", ratio=float("inf")), CIRCULAR, b"\xff", 10**5000],
    ids=lambda value: type(value).__name__,
)
def test_what_json_cannot_hold_fails_for_good(value: object) -> None:
    with pytest.raises(PermanentError, match=r"result: must be JSON: "):
        write_result(value)


class Page(BaseModel):
    numbers: Iterable[int]


@dataclass
class Found:
    rows: object


@pytest.mark.parametrize(
    "value",
    [
        count(),
        (number for number in count()),
        {"rows": [count()]},
        (1, (count(),)),
        deque([count()]),
        frozenset([count()]),
        Page(numbers=count()),
        [Found(count())],
        iter([1, 2]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_iterator_at_any_depth_is_refused_for_it_may_have_no_end(value: object) -> None:
    with pytest.raises(PermanentError, match=r"^result: must be JSON: return a list instead of a generator or another"):
        write_result(value)


def test_nothing_is_drawn_from_an_iterator_that_is_refused() -> None:
    drawn: list[int] = []

    def draw() -> Iterator[int]:
        drawn.append(1)
        yield 1

    with pytest.raises(PermanentError):
        write_result({"rows": draw()})
    assert drawn == []


def test_what_is_returned_in_two_places_is_written_twice() -> None:
    row = [1]

    assert write_result([row, row]) == "[[1],[1]]"
