"""From a JSON value to what the server binds: text, with the type that it is read as."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from scheduler.application.ports.handlers import PermanentError

INFERRED: Final = 0
"""The server takes the type from where the parameter stands: dates, ids and enums are sent as text."""
BOOL: Final = 16
INT8: Final = 20
NUMERIC: Final = 1700
JSONB: Final = 3802
_INT8_RANGE: Final = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value in the server's text form, None for NULL, and the OID of its type."""

    text: bytes | None
    oid: int


def bind(values: Sequence[object]) -> Sequence[Parameter]:
    """Turn the params of a job into parameters. Raises PermanentError, naming the one that cannot be sent."""
    return [_parameter(f"params[{index}]", value) for index, value in enumerate(values)]


def _parameter(field: str, value: object) -> Parameter:
    match value:
        case None:
            return Parameter(None, INFERRED)
        case bool():
            return Parameter(b"true" if value else b"false", BOOL)
        case int():
            return Parameter(str(value).encode(), INT8 if value in _INT8_RANGE else NUMERIC)
        case Decimal():
            return Parameter(str(value).encode(), NUMERIC)
        case str():
            return Parameter(sendable(field, value), INFERRED)
        case _:
            return Parameter(sendable(field, _json(field, value)), JSONB)


def sendable(field: str, text: str) -> bytes:
    """Encode a text. Raises PermanentError when no database takes it."""
    try:
        encoded = text.encode()
    except UnicodeEncodeError as error:
        raise PermanentError(f"{field}: must be valid UTF-8") from error
    if b"\0" in encoded:
        raise PermanentError(f"{field}: must not hold the character NUL")
    return encoded


def _json(field: str, value: object) -> str:
    """Write a JSON value with every digit of its numbers, which json.dumps would read as floats."""
    match value:
        case Decimal():
            return str(value)
        case dict():
            return f"{{{','.join(f'{_json(field, key)}:{_json(field, item)}' for key, item in value.items())}}}"
        case list():
            return f"[{','.join(_json(field, item) for item in value)}]"
        case str() if "\0" in value:
            raise PermanentError(f"{field}: must not hold the character NUL")
        case _:
            return json.dumps(value, ensure_ascii=False)
