"""Payloads are read as what the handler takes, and refused in words that name fields and show no values."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator
from pydantic_core import PydanticSerializationError
from typing_extensions import TypedDict

from scheduler.adapters.handlers.payload import MAX_PROBLEM_LENGTH, MAX_PROBLEMS, PayloadReader
from scheduler.handlers import PermanentError


class Size(BaseModel):
    width: int = Field(gt=0)
    height: int = 100


class Image(BaseModel):
    model_config = ConfigDict(extra="forbid")

    url: str
    sizes: list[Size] = []


@dataclass
class Mail:
    to: str
    sent: date | None = None


class Row(TypedDict):
    id: int


def refusal(payload_type: type[object], payload: str | None) -> str:
    with pytest.raises(PermanentError) as caught:
        PayloadReader(payload_type).read(payload)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    return str(caught.value)


@pytest.mark.parametrize(
    ("payload_type", "payload", "value"),
    [
        (Size, '{"width": 3}', Size(width=3)),
        (Mail, '{"to": "a@b.example", "sent": "2026-01-02"}', Mail("a@b.example", date(2026, 1, 2))),
        (Row, '{"id": 7}', {"id": 7}),
        (list[int], "[1, 2]", [1, 2]),
        (int, "7", 7),
        (object, '{"any": [null, 1.5]}', {"any": [None, 1.5]}),
        (JsonValue, '"text"', "text"),
        (object, None, None),
        (type(None), None, None),
        (object, "[" * 200 + "]" * 200, None),
        (object, "9" * 4000, None),
    ],
)
def test_a_payload_is_read_as_the_annotated_type(
    payload_type: type[object], payload: str | None, value: object
) -> None:
    read = PayloadReader(payload_type).read(payload)

    assert value is None or read == value


def test_each_bad_field_is_named_with_its_path() -> None:
    message = refusal(Image, '{"sizes": [{"width": 1}, {"width": 0, "height": "tall"}], "colour": "red"}')

    assert message == (
        "payload.url: Field required; "
        "payload.sizes[1].width: Input should be greater than 0; "
        "payload.sizes[1].height: Input should be a valid integer, unable to parse string as an integer; "
        "payload.colour: Extra inputs are not permitted"
    )


def test_a_payload_that_is_missing_is_null() -> None:
    assert refusal(Size, None) == "payload: Input should be an object"


class Login(BaseModel):
    name: str
    password: str
    pin: int = 0

    @field_validator("password")
    @classmethod
    def _is_long(cls, password: str) -> str:
        raise ValueError(f"{password!r} is too short")

    @model_validator(mode="before")
    @classmethod
    def _is_complete(cls, data: object) -> object:
        if isinstance(data, dict) and "pin" in data:
            raise ValueError(f"no PIN is wanted in {data}")
        return data


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


@pytest.mark.parametrize(
    ("payload_type", "payload", "message"),
    [
        (Login, '{"name": "eve", "password": "hunter2"}', "payload.password: Value error, '…' is too short"),
        (
            Login,
            '{"name": "eve", "password": "hunter2", "pin": 123456}',
            "payload: Value error, no PIN is wanted in {'name': 'eve', 'password': '…', 'pin': …}",
        ),
        (
            Annotated[Cat | Dog, Field(discriminator="kind")],
            '{"kind": "hunter2"}',
            "payload: Input tag '…' found using 'kind' does not match any of the expected tags: 'cat', 'dog'",
        ),
    ],
)
def test_values_are_not_quoted(payload_type: type[object], payload: str, message: str) -> None:
    assert refusal(payload_type, payload) == message


def test_a_payload_of_another_type_is_not_written() -> None:
    reader = PayloadReader(Size)

    assert reader.write(Size(width=3)) == '{"width":3,"height":100}'
    assert reader.write(None) is None
    with pytest.raises(PydanticSerializationError):
        reader.write({"width": 3})


def test_many_problems_and_long_ones_are_cut() -> None:
    long_key = "k" * 10_000
    message = refusal(dict[str, int], f'{{"{long_key}": "x"}}')
    assert len(message) == MAX_PROBLEM_LENGTH + 1

    message = refusal(list[int], f"[{', '.join(['null'] * 5000)}]")
    assert message.endswith(f"; and {5000 - MAX_PROBLEMS} more")
    assert len(re.findall("payload", message)) == MAX_PROBLEMS
