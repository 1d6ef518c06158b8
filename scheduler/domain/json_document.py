"""What counts as one JSON document: RFC 8259, bounded in size and nesting, never rewritten."""

import json
import re
from typing import NoReturn

from scheduler.domain.errors import InvalidFieldError

MAX_JSON_BYTES = 1024 * 1024
MAX_JSON_NESTING = 200
# A string that never ends is taken to the end of the text: tried again from each of its quotes, it would cost minutes.
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


def check_json(field: str, text: str, max_bytes: int = MAX_JSON_BYTES) -> None:
    """Raise InvalidFieldError unless `text` is one JSON document within the limits."""
    _check_size(field, text, max_bytes)
    if _may_nest_too_deep(text) and _nesting(text) > MAX_JSON_NESTING:
        raise InvalidFieldError(field, f"must not nest deeper than {MAX_JSON_NESTING} levels")
    try:
        _DECODER.decode(text)
    except ValueError as error:
        raise InvalidFieldError(field, f"must be one JSON document: {error}") from error


def _check_size(field: str, text: str, max_bytes: int) -> None:
    try:
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError as error:
        raise InvalidFieldError(field, "must be valid UTF-8") from error
    if size > max_bytes:
        raise InvalidFieldError(field, f"must be at most {max_bytes} bytes, is {size}")


def _may_nest_too_deep(text: str) -> bool:
    return text.count("[") + text.count("{") > MAX_JSON_NESTING


def _nesting(text: str) -> int:
    depth = deepest = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        mark = match.group()
        if mark in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in "]}":
            depth -= 1
    return deepest


def _refuse_constant(name: str) -> NoReturn:
    msg = f"{name} is not JSON"
    raise ValueError(msg)


def _any_number(_: str) -> int:
    """Accept a number of any length: it is checked, never computed."""
    return 0


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=_any_number, parse_float=_any_number)
