"""Whatever JSON has a form for can be returned; anything else fails the attempt for good, in words that say so."""

from dataclasses import dataclass
from datetime import UTC, datetime

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
